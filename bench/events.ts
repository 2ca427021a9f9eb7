/**
 * What it costs a create that a webhook is told of it: the create function over eight connections, with events and without,
 * in one interleaved run A-B-A-B. Counted is the time that the database's processes were on a core (Linux), as that says
 * more than the clock where others work on the machine. `npm run bench:events`.
 */
import { chmodSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import postgres from "postgres";
import { createLogins } from "../src/dev/development-database.ts";
import { startEmbeddedPostgres } from "../src/dev/embedded-postgres.ts";
import { migrate } from "../src/storage/migrate.ts";
import { callCreate } from "../test/storage/create-call.ts";
import { givenAccount } from "../test/support/database.ts";

const PAIRS = Number(process.env["BENCH_PAIRS"] ?? 5);
const CREATES = Number(process.env["BENCH_CREATES"] ?? 2_000);
const CONNECTIONS = 8;
const SECRET_HASH = `$argon2id$v=19$m=19456,t=2,p=1$${"c".repeat(22)}$${"h".repeat(43)}`;

const folder = mkdtempSync(join(tmpdir(), "keyturn-bench-"));
chmodSync(folder, 0o755);
const database = await startEmbeddedPostgres({ dataDir: join(folder, "postgres"), settings: {} });
try {
  const { ownerUrl, serverUrl } = await createLogins(database, "bench");
  await migrate(ownerUrl);
  const owner = postgres(ownerUrl, { max: 1, onnotice: () => {} });
  const callers = Array.from({ length: CONNECTIONS }, () =>
    postgres(serverUrl, { max: 1, fetch_types: false }),
  );

  const pids = await Promise.all(
    callers.map(async (sql) => (await sql<{ pid: number }[]>`select pg_backend_pid() as pid`)[0]?.pid),
  );
  const cpuMs = () =>
    pids.reduce(
      (sum: number, pid) => sum + Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e6,
      0,
    );

  /** Milliseconds of processor for a create, over accounts of their own with so many credentials each. */
  async function run(isWanted: boolean, perAccount: number): Promise<number> {
    await owner`truncate keyturn.events, keyturn.event_delivery, keyturn.service_accounts cascade`;
    if (isWanted) await owner`select keyturn.want_events('1 day')`;
    const accounts = [];
    while (accounts.length < CREATES / perAccount) accounts.push(await givenAccount(owner, "bench"));
    const queue = accounts.values();
    const before = cpuMs();
    await Promise.all(
      callers.map(async (sql) => {
        for (const account of queue)
          for (let n = 0; n < perAccount; n += 1) await callCreate(sql, account, { secretHash: SECRET_HASH });
      }),
    );
    return (cpuMs() - before) / CREATES;
  }

  for (const perAccount of [1, 5]) {
    const ratios: number[] = [];
    const costs: number[] = [];
    await run(true, perAccount);
    for (let pair = 0; pair < PAIRS; pair += 1) {
      const [off, on] = [await run(false, perAccount), await run(true, perAccount)];
      ratios.push(on / off);
      costs.push(off);
    }
    const what = perAccount === 1 ? "queues that are empty" : "queues that nobody drains, five events long";
    process.stdout.write(
      `${what}: ${shown(ratios)} times the processor time of a create without events (${median(costs).toFixed(3)} ms)\n`,
    );
  }
  await Promise.all([owner, ...callers].map((sql) => sql.end()));
} finally {
  await database.stop();
  rmSync(folder, { recursive: true, force: true });
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
}

function shown(ratios: readonly number[]): string {
  return `${median(ratios).toFixed(3)} (${Math.min(...ratios).toFixed(3)} to ${Math.max(...ratios).toFixed(3)})`;
}
