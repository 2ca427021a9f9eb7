import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import postgres from "postgres";
import { SESSION_SETTINGS } from "../../src/storage/session-settings.ts";
import { callCreate } from "../storage/create-call.ts";
import { type Callers, openCallers } from "../support/callers.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { environment } from "../support/keyturn.ts";
import { metricOf, type ServerProcess, startServer } from "../support/process.ts";

const RATIO_MAX = 2.5;
/** Calls for an account that does not exist: they warm the same code and take nothing from the pool. */
const REFUSED_WARM_UP = 1_000;
const WARM_UP = 20;
const SAMPLES = 80;
/** A create that is slow is slow every time; a machine that is busy with something else is not. */
const ATTEMPTS = 3;
const POOL = 64;
/** One caller who does not hurry: the pool refills between his calls, and nothing ever queues. */
const PAUSE_MS = 50;

let db: TestDatabase;
let issuer: TestIssuer;
let server: ServerProcess;
let callers: Callers;
let bare: postgres.Sql;

before(async () => {
  db = await givenDatabase();
  issuer = await startIssuer();
  server = await startServer({
    ...environment(db.serverUrl, issuer.url),
    KEYTURN_MINT_POOL_SIZE: String(POOL),
    LOG_LEVEL: "info",
  });
  callers = openCallers(server.addresses.grpc);
  bare = postgres(db.serverUrl, { max: 1, fetch_types: false, connection: SESSION_SETTINGS });
});
after(async () => {
  callers.close();
  await bare.end({ timeout: 1 });
  await server.stop();
  await issuer.stop();
  await db.drop();
});

test(`with the pool filled, the median create takes at most ${RATIO_MAX} times the bare call of its function`, async (t) => {
  const { organizationId } = await givenAccount(db.sql);
  const token = await issuer.sign({ claims: { tenant_id: organizationId, roles: ["admin"], sub: "bench" } });
  const accounts = await freshAccounts(organizationId, 2 * (WARM_UP + ATTEMPTS * SAMPLES));
  const nextAccount = () => accounts.pop() as string;
  const ways = {
    create: async () => {
      const outcome = await callers.create(nextAccount(), token);
      assert.equal(outcome.kind, "created");
    },
    bare: () => callFunction(organizationId, nextAccount()),
  };
  for (let n = 0; n < REFUSED_WARM_UP; n += 1) await callers.create("sa-unknown", token);
  await measure(ways, WARM_UP);
  while ((await metricOf(server, "keyturn_mint_pool_level")) !== POOL) await delay(50);

  let ratio = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < ATTEMPTS && ratio > RATIO_MAX; attempt += 1) {
    const { create, bare: bareCall } = await measure(ways, SAMPLES);
    ratio = create / bareCall;
    const figures = `${create.toFixed(3)} ms, median bare call ${bareCall.toFixed(3)} ms, ratio ${ratio.toFixed(2)}`;
    t.diagnostic(`median create ${figures}`);
  }
  assert.ok(ratio <= RATIO_MAX, `ratio ${ratio.toFixed(2)}`);
});

/** Runs each way in turn, so that whatever else the machine does meets both, and gives their medians in milliseconds. */
async function measure<Way extends string>(
  ways: Readonly<Record<Way, () => Promise<void>>>,
  samples: number,
): Promise<Record<Way, number>> {
  const names = Object.keys(ways) as Way[];
  const timings = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<Way, number[]>;
  for (let n = 0; n < samples; n += 1) {
    for (const name of names) {
      await delay(PAUSE_MS);
      const startedAt = performance.now();
      await ways[name]();
      timings[name].push(performance.now() - startedAt);
    }
  }
  return Object.fromEntries(names.map((name) => [name, median(timings[name])])) as Record<Way, number>;
}

function median(timings: readonly number[]): number {
  const sorted = timings.toSorted((one, other) => one - other);
  return sorted[Math.floor(sorted.length / 2)] as number;
}

/** The same statement as the server's, prepared by the same driver, with a hash of the same length. */
async function callFunction(organizationId: string, id: string): Promise<void> {
  const secretHash = `$argon2id$v=19$m=19456,t=2,p=1$${"s".repeat(22)}$${"h".repeat(43)}`;
  const call = { secretHash, issuer: issuer.url, subject: "bench", clientAddress: "127.0.0.1" };
  const requestId = crypto.randomUUID();
  assert.equal((await callCreate(bare, { organizationId, id }, { ...call, requestId })).outcome, "done");
}

async function freshAccounts(organizationId: string, count: number): Promise<string[]> {
  const rows = await db.sql<{ id: string }[]>`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    select ${organizationId}, 'sa-bench-' || n, 'Bench', ${organizationId}, 'test' from generate_series(1, ${count}::int) n
    returning id`;
  return rows.map(({ id }) => id);
}
