import { createsOverGrpc, givenAccounts } from "../support/creates.ts";
import { runGrpcLoad } from "../support/grpc-load.ts";
import { AS_A_SERVER, startHashes } from "../support/hashes.ts";
import { createByFunction, pgbench, withoutPgbench } from "../support/pgbench.ts";
import type { Target } from "../support/target.ts";
import { type Contender, type Measurement, RATE, ratioRow } from "../support/turns.ts";

const ACCOUNTS = 2_000;
const CALLERS = 16;

/** A sustained load of creates against the slower of the two things that each of them needs. */
export const target: Target = {
  number: 1,
  title: "sustained CreateCredential over gRPC, argon2id 19 MiB, two passes",
  quick: false,
  skip: withoutPgbench,
  async run(bench) {
    const database = await bench.database();
    await givenAccounts(database, "bench", ACCOUNTS);
    await givenAccounts(database, "pgbench", ACCOUNTS);
    // Under a sustained load the pool is dry; that it is filled again between the turns would be a gift to the first creates
    // and a load on whoever is next.
    const server = await bench.serve(database, { KEYTURN_MINT_POOL_SIZE: "0" });
    const load = await createsOverGrpc(bench, server, { organizationId: "bench", accounts: ACCOUNTS });
    const creates: Contender = {
      name: "creates",
      serverPid: server.pid,
      run: (durationMs) => runGrpcLoad({ ...load, callers: CALLERS }, durationMs),
    };
    const scripts = [{ text: createByFunction("pgbench", ACCOUNTS), weight: 1 }];
    const rounds = await bench.takeTurns({
      creates,
      hashes: await startHashes(bench, "hashes", AS_A_SERVER),
      transactions: pgbench(bench, database, "the function", { scripts, clients: 8 }),
    });
    const slower = rounds.hashes.map((hashes, round) => {
      const transactions = rounds.transactions[round] as Measurement;
      return hashes.perSecond < transactions.perSecond ? hashes : transactions;
    });
    const what = "CreateCredential, gRPC, 16 callers";
    return [
      ratioRow(RATE, [rounds.creates, slower], {
        what,
        against: "the slower of raw hashes and pgbench with the function",
        bound: { atLeast: 0.9 },
      }),
      ratioRow(RATE, [rounds.creates, rounds.hashes], { what, against: "raw hashes, as many as cores" }),
      ratioRow(RATE, [rounds.creates, rounds.transactions], {
        what,
        against: "pgbench with the function, 8 clients",
      }),
    ];
  },
};
