import { setTimeout as delay } from "node:timers/promises";
import type { BenchDatabase } from "../support/bench.ts";
import { givenSecrets, verifyOverGrpc } from "../support/checks.ts";
import { pgbench, withoutPgbench } from "../support/pgbench.ts";
import { percentileOf } from "../support/spread.ts";
import type { Target } from "../support/target.ts";
import { type Contender, figure } from "../support/turns.ts";

/** Last uses are written every two seconds (docs/operations.md). */
const FLUSHED_MS = 2_500;

/** What a check leaves in the write-ahead log, against a row that is updated by each. */
export const target: Target = {
  number: 14,
  title: "WAL of a VerifyCredential at full rate, 100 hot credentials",
  quick: false,
  skip: withoutPgbench,
  async run(bench) {
    const database = await bench.database();
    const server = await bench.serve(database);
    const verify = verifyOverGrpc("verify", server.pid, server.grpc, await givenSecrets(bench, server));
    const update = pgbench(bench, database, "an update each", {
      scripts: [{ text: updateOfOne, weight: 1 }],
      clients: 8,
    });
    await verify.run(bench.durationMs);
    await delay(FLUSHED_MS);
    await database.sql`
      create table bench_use as
      select row_number() over () as n, organization_id, service_account_id, credential_id from keyturn.credential_usage`;
    await database.sql`create unique index on bench_use (n)`;
    const rounds: { ours: number; theirs: number }[] = [];
    for (let round = 0; round < bench.rounds; round += 1) {
      const ours = await walOfEach(database, verify, bench.durationMs);
      rounds.push({ ours, theirs: await walOfEach(database, update, bench.durationMs) });
    }
    const median = (of: (round: (typeof rounds)[number]) => number) =>
      `${figure(percentileOf(rounds.map(of), 0.5))} bytes`;
    return [
      {
        what: "WAL of a VerifyCredential",
        against: "an UPDATE of its last use for each",
        ours: median(({ ours }) => ours),
        theirs: median(({ theirs }) => theirs),
        values: rounds.map(({ ours, theirs }) => ours / theirs),
        unit: "×",
        bound: { atMost: 0.05 },
        spreadMax: 5,
      },
    ];
  },
};

const updateOfOne = `
\\set n random(1, 100)
update keyturn.credential_usage u set last_used_at = clock_timestamp(), use_count = u.use_count + 1
  from bench_use b where b.n = :n and u.organization_id = b.organization_id
   and u.service_account_id = b.service_account_id and u.credential_id = b.credential_id;
`;

async function walOfEach({ sql }: BenchDatabase, contender: Contender, durationMs: number): Promise<number> {
  const [before] = await sql<{ at: string }[]>`select pg_current_wal_insert_lsn() as at`;
  const { answers } = await contender.run(durationMs);
  await delay(FLUSHED_MS);
  const [after] = await sql<{ bytes: string }[]>`
    select pg_wal_lsn_diff(pg_current_wal_insert_lsn(), ${before?.at ?? ""}::pg_lsn) as bytes`;
  return Number(after?.bytes) / answers;
}
