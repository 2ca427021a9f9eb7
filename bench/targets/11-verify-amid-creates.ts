import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { untilPoolIsFull } from "../support/bench.ts";
import { givenSecrets, isPrincipal, VERIFY, verifyMessage } from "../support/checks.ts";
import { amidCreates, createsOverGrpc, givenAccounts } from "../support/creates.ts";
import type { GrpcConnection } from "../support/grpc-connection.ts";
import { openConnections, runArrivals } from "../support/grpc-load.ts";
import { percentileOf } from "../support/spread.ts";
import type { Target } from "../support/target.ts";
import { figure, type LoadResult } from "../support/turns.ts";

const ACCOUNTS = 20_000;
const EVERY_MS = 5;
/** Callers who are turned away wait as RetryInfo says at the least. */
const CROWD = { callers: 256, connections: 4, retryMs: 50 };
const WARM_UP = 2_000;
/** More checks may be under way than one connection has streams. */
const CONNECTIONS = 4;
/** Until the pool is dry, the queue full, and the code of a create compiled. */
const SETTLE_MS = 2_000;
const POOL = 64;

/** Those who have a secret checked, while everybody else wants a new one. */
export const target: Target = {
  number: 11,
  title: "p99 of VerifyCredential while 256 creates are in flight",
  quick: false,
  async run(bench) {
    const database = await bench.database();
    await givenAccounts(database, "crowd", ACCOUNTS);
    const server = await bench.serve(database);
    const { secrets, token } = await givenSecrets(bench, server);
    const messages = secrets.map(verifyMessage);
    const load = { address: server.grpc, path: VERIFY, messages, token, isWanted: isPrincipal };
    const connections = await openConnections({ ...load, connections: CONNECTIONS });
    bench.later(() => {
      for (const connection of connections) connection.close();
    });
    let turn = 0;
    const verify = (): Promise<boolean> => {
      const connection = connections[turn % CONNECTIONS] as GrpcConnection;
      return connection.call(messages[turn++ % messages.length] as Buffer);
    };
    for (let n = 0; n < WARM_UP; n += 1) assert.ok(await verify());
    const crowd = await createsOverGrpc(bench, server, { organizationId: "crowd", accounts: ACCOUNTS });
    const run = async (): Promise<LoadResult> => {
      const result = await runArrivals(verify, EVERY_MS, bench.durationMs);
      assert.equal(result.failures, 0, "checks failed");
      return result;
    };
    const rounds: { idle: LoadResult; amid: LoadResult }[] = [];
    for (let round = 0; round < bench.rounds; round += 1) {
      // While it is filled again there is something else.
      await untilPoolIsFull(server.admin, POOL);
      const idle = await run();
      let amid = idle;
      await amidCreates(crowd, CROWD, async () => {
        await delay(SETTLE_MS);
        amid = await run();
      });
      rounds.push({ idle, amid });
    }
    const median = (of: (round: (typeof rounds)[number]) => number) =>
      `${figure(percentileOf(rounds.map(of), 0.5))} ms`;
    return [
      {
        what: "VerifyCredential, gRPC, 200 a second, while 256 creates are in flight: p99",
        against: "the same while there is nothing else",
        ours: median(({ amid }) => amid.p99Ms),
        theirs: median(({ idle }) => idle.p99Ms),
        values: rounds.map(({ idle, amid }) => amid.p99Ms - idle.p99Ms),
        unit: "ms",
        bound: { atMost: 10 },
      },
    ];
  },
};
