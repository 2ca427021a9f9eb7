import assert from "node:assert/strict";
import postgres from "postgres";
import { SESSION_SETTINGS } from "../../src/storage/session-settings.ts";
import { callCreate } from "../../test/storage/create-call.ts";
import { untilPoolIsFull } from "../support/bench.ts";
import { createMessage, createsOverGrpc, givenAccounts } from "../support/creates.ts";
import { type GrpcLoad, openConnections, runArrivals } from "../support/grpc-load.ts";
import type { Target } from "../support/target.ts";
import { MEDIAN, ratioRow } from "../support/turns.ts";

const ACCOUNTS = 2_000;
const EVERY_MS = 100;
/** Calls for an account that does not exist: they warm the same code and take nothing from the pool. */
const REFUSED_WARM_UP = 2_000;
const QUICK_WARM_UP = 200;
const SECRET_HASH = `$argon2id$v=19$m=19456,t=2,p=1$${"s".repeat(22)}$${"h".repeat(43)}`;

/** What is left of the wait for a hash when the pool has made it before. */
export const target: Target = {
  number: 2,
  title: "the median create at 10 a second, pool filled",
  quick: true,
  async run(bench) {
    const database = await bench.database();
    await givenAccounts(database, "bench", ACCOUNTS);
    await givenAccounts(database, "bare", ACCOUNTS);
    const server = await bench.serve(database);
    const load = await createsOverGrpc(bench, server, { organizationId: "bench", accounts: ACCOUNTS });
    const nextMessage = inTurn(load);
    const [connection] = await openConnections({ ...load, connections: 1 });
    assert.ok(connection);
    bench.later(() => connection.close());
    const sql = postgres(database.serverUrl, { max: 1, fetch_types: false, connection: SESSION_SETTINGS });
    bench.later(() => sql.end({ timeout: 1 }));
    let turn = 0;
    const callBare = async () => {
      const account = { organizationId: "bare", id: `sa-${(turn++ % ACCOUNTS) + 1}` };
      return (await callCreate(sql, account, { secretHash: SECRET_HASH })).outcome === "done";
    };
    const warmUp = bench.quick ? QUICK_WARM_UP : REFUSED_WARM_UP;
    for (let n = 0; n < warmUp; n += 1) await connection.call(createMessage("sa-unknown"));
    for (let n = 0; n < warmUp; n += 1) await callBare().catch(() => {});
    await untilPoolIsFull(server.admin, 64);
    const { creates, bare } = await bench.takeTurns({
      creates: {
        name: "creates",
        serverPid: server.pid,
        run: (durationMs) => runArrivals(() => connection.call(nextMessage()), EVERY_MS, durationMs),
      },
      bare: { name: "the function", run: (durationMs) => runArrivals(callBare, EVERY_MS, durationMs) },
    });
    return [
      ratioRow(MEDIAN, [creates, bare], {
        what: "CreateCredential, gRPC",
        against: "the bare call of its function",
        bound: { atMost: 2, quick: 12 },
      }),
    ];
  },
};

function inTurn({ messages }: GrpcLoad): () => Buffer {
  let turn = 0;
  return () => messages[turn++ % messages.length] as Buffer;
}
