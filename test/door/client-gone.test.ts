import assert from "node:assert/strict";
import { constants } from "node:http2";
import { after, afterEach, before, beforeEach, test } from "node:test";
import postgres from "postgres";
import { credentialsPath } from "../support/clients.ts";
import { encodeCreate } from "../support/doors.ts";
import { GOOD_TOKEN, givenDoors } from "../support/given-doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { CREATE_PATH, frame, rawGrpc } from "../support/raw-grpc.ts";
import { rawConnection } from "../support/raw-http.ts";
import { assertAlive, assertNothingStored, eventually } from "../support/stored.ts";

let h: TestKeyturn;
let lock: postgres.Sql;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());
beforeEach(() => {
  lock = postgres(h.db.superuserUrl, { max: 1 });
});
afterEach(() => lock.end({ timeout: 1 }));

/** Begins a create; resolves to how the caller goes away. */
type Begin = (at: { httpUrl: string; grpcAddress: string }, id: string, token: string) => Promise<() => void>;

const overHttp =
  (path: (id: string) => string, contentType: string, body: (id: string) => Buffer): Begin =>
  async (at, id, token) => {
    const connection = await rawConnection(at.httpUrl);
    const bytes = body(id);
    const head = [
      `POST ${path(id)} HTTP/1.1`,
      "host: a",
      `content-type: ${contentType}`,
      `content-length: ${bytes.length}`,
    ];
    connection.write(`${[...head, `authorization: Bearer ${token}`].join("\r\n")}\r\n\r\n`);
    connection.write(bytes);
    return () => connection.socket.destroy();
  };

const json = (text: (id: string) => string) => (id: string) => Buffer.from(text(id));
const message = (id: string) => encodeCreate({ serviceAccountId: id });

const overGrpc =
  (leave: "reset" | "hang up"): Begin =>
  async (at, id, token) => {
    const grpc = rawGrpc(at.grpcAddress);
    const stream = grpc.open({ authorization: `Bearer ${token}` });
    stream.on("error", () => {});
    stream.end(frame(message(id)));
    return () => {
      if (leave === "reset") {
        stream.once("close", () => grpc.close());
        stream.close(constants.NGHTTP2_CANCEL);
      } else grpc.close();
    };
  };

const WAYS: readonly (readonly [name: string, begin: Begin])[] = [
  [
    "over REST",
    overHttp(
      credentialsPath,
      "application/json",
      json(() => "{}"),
    ),
  ],
  [
    "over Connect",
    overHttp(
      () => CREATE_PATH,
      "application/json",
      json((id) => `{"serviceAccountId":"${id}"}`),
    ),
  ],
  [
    "over gRPC-Web",
    overHttp(
      () => CREATE_PATH,
      "application/grpc-web+proto",
      (id) => frame(message(id)),
    ),
  ],
  ["over gRPC by a reset", overGrpc("reset")],
  ["over gRPC by hanging up", overGrpc("hang up")],
];

for (const [name, begin] of WAYS) {
  test(`a caller who leaves ${name} ends the work for him`, async () => {
    const doors = await givenDoors({ createCredential: () => new Promise(() => {}) });
    try {
      const reached = doors.nextCall();
      const leave = await begin(doors, "sa-one", GOOD_TOKEN);
      const { signal } = await reached;
      const aborted = new Promise((resolve) => signal.addEventListener("abort", resolve));
      leave();
      await aborted;
      assert.equal(signal.reason.fault.kind, "cancelled");
      await eventually(doors.log, (log) => log.includes('"reason":"CANCELLED"'));
      assert.deepEqual(doors.defects, []);
    } finally {
      await doors.stop();
    }
  });

  test(`a caller who leaves ${name} while his account is locked gets nothing stored`, async () => {
    const { organizationId, id } = await h.givenAccount();
    await lock`begin`;
    await lock`select from keyturn.service_accounts where id = ${id} for update`;
    const leave = await begin(h, id, await h.token(organizationId));
    await eventually(waitingStatements, (count) => count === 1);
    leave();
    await eventually(activeStatements, (count) => count === 0);
    await lock`rollback`;
    await assertNothingStored(h, id);
    await assertAlive(h);
  });
}

test("a caller who leaves in the middle of his body costs nothing more", async () => {
  const { organizationId, id } = await h.givenAccount();
  const connection = await rawConnection(h.httpUrl);
  const head = [
    `POST ${credentialsPath(id)} HTTP/1.1`,
    "host: a",
    "content-type: application/json",
    "content-length: 9",
  ];
  connection.write(
    `${[...head, `authorization: Bearer ${await h.token(organizationId)}`, "x-request-id: left-early"].join("\r\n")}\r\n\r\n{`,
  );
  // The server has the headers once it has asked for the caller; nothing on the wire says so.
  connection.socket.end();
  await eventually(h.log, (log) => /left-early.*CANCELLED|CANCELLED.*left-early/.test(log));
  await assertNothingStored(h, id);
  await assertAlive(h);
});

const waitingStatements = () => statements("wait_event_type = 'Lock'");
const activeStatements = () => statements("state = 'active'");

async function statements(condition: string): Promise<number> {
  const [row] = await h.db.sql.unsafe<{ count: number }[]>(
    `select count(*)::int from pg_stat_activity where application_name = 'keyturn' and datname = current_database() and ${condition}`,
  );
  return row?.count ?? -1;
}
