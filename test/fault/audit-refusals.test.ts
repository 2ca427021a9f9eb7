import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { constants } from "node:http2";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { REFUSED_CALLS_CHAIN } from "../../src/domain/audit-event.ts";
import { credentialsPath, rest } from "../support/clients.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { DOORS, encodeCreate } from "../support/doors.ts";
import { eventually } from "../support/eventually.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { type PostgresProxy, startPostgresProxy } from "../support/postgres-proxy.ts";
import { frame, rawGrpc } from "../support/raw-grpc.ts";
import { rawConnection } from "../support/raw-http.ts";
import { holdChain } from "../support/row-lock.ts";
import { overGrpc as callerOverGrpc } from "../support/rpc-callers.ts";
import { metric } from "../support/stored.ts";
import { rowOfCallLeft } from "../support/trail.ts";

let db: TestDatabase;
let proxy: PostgresProxy;
let h: TestKeyturn;
before(async () => {
  db = await givenDatabase();
  proxy = await startPostgresProxy(db.serverUrl);
  // A slow machine must not turn a wait for a lock into a lock time-out.
  h = await givenKeyturn({ db, databaseUrl: `${proxy.url}?lock_timeout=20000` });
});
after(async () => {
  await h.stop();
  await proxy.stop();
  await db.drop();
});

const lost = () => metric(h, "keyturn_audit_refusals_lost_total");
const freshRequestId = () => `call.${randomBytes(6).toString("hex")}`;

/** Sends a create as a whole, and gives the way in which its caller goes. */
type Send = (call: {
  readonly token: string;
  readonly requestId: string;
  readonly id: string;
}) => Promise<() => void>;

const INVALID_BODY = '{"displayName":""}';

const overRest: Send = async ({ token, requestId, id }) => {
  const connection = await rawConnection(h.httpUrl);
  const head = [
    `POST ${credentialsPath(id)} HTTP/1.1`,
    "host: a",
    "content-type: application/json",
    `content-length: ${INVALID_BODY.length}`,
    `authorization: Bearer ${token}`,
    `x-request-id: ${requestId}`,
  ];
  connection.write(`${head.join("\r\n")}\r\n\r\n${INVALID_BODY}`);
  return () => connection.socket.destroy();
};

const overGrpc =
  (leave: "reset" | "hang up"): Send =>
  async ({ token, requestId, id }) => {
    const grpc = rawGrpc(h.grpcAddress);
    const stream = grpc.open({ authorization: `Bearer ${token}`, "x-request-id": requestId });
    stream.on("error", () => {});
    stream.end(frame(encodeCreate({ serviceAccountId: id, displayName: "" })));
    return () => {
      if (leave === "hang up") return grpc.close();
      stream.once("close", () => grpc.close());
      stream.close(constants.NGHTTP2_CANCEL);
    };
  };

const WAYS: readonly (readonly [name: string, send: Send])[] = [
  ["over REST", overRest],
  ["over gRPC by a reset", overGrpc("reset")],
  ["over gRPC by hanging up", overGrpc("hang up")],
];

/** Both ways in which a call is refused without the database: for its caller's roles, and for its message. */
const REFUSALS = [
  { outcome: "permission_denied", roles: ["viewer"] },
  { outcome: "invalid_argument", roles: ["admin"] },
];

async function isWaiting(): Promise<boolean> {
  const rows = await db.sql`
    select from pg_stat_activity
     where datname = current_database() and application_name = 'keyturn' and wait_event_type = 'Lock'`;
  return rows.length === 1;
}

const wasCancelled = (requestId: string) =>
  h
    .log()
    .split("\n")
    .some((line) => line.includes(`"${requestId}"`) && line.includes('"CANCELLED"'));

for (const [name, send] of WAYS) {
  for (const { outcome, roles } of REFUSALS) {
    test(`a caller who leaves ${name} does not keep his ${outcome} out of the trail`, async () => {
      const { organizationId, id } = await h.givenAccount();
      const token = await h.token(organizationId, { roles });
      // So that there is a chain to hold.
      await rest(h, credentialsPath(id), { method: "POST", token, body: "no JSON" });
      const requestId = freshRequestId();
      const held = await holdChain(db, organizationId, REFUSED_CALLS_CHAIN);
      const leave = await send({ token, requestId, id });
      await eventually(isWaiting);
      leave();
      await eventually(() => wasCancelled(requestId));
      await held.release();
      const row = await rowOfCallLeft(db.sql, requestId);
      assert.deepEqual([row.outcome, row.clientAddress], [outcome, "127.0.0.1"]);
    });
  }
}

test("a caller who is known and leaves in the moment in which he has sent is in the trail every time", async () => {
  const { organizationId, id } = await h.givenAccount();
  const token = await h.token(organizationId, { roles: ["viewer"] });
  await rest(h, credentialsPath(id), { method: "POST", token });
  const requestIds = Array.from({ length: 20 }, freshRequestId);
  for (const requestId of requestIds) (await overRest({ token, requestId, id }))();
  for (const requestId of requestIds)
    assert.equal((await rowOfCallLeft(db.sql, requestId)).outcome, "permission_denied");
});

/** What is refused without the database, and what the caller hears of it, at every door. */
async function assertRefused(organizationId: string, id: string): Promise<number> {
  const viewer = await h.token(organizationId, { roles: ["viewer"] });
  const admin = await h.token(organizationId);
  for (const door of DOORS) {
    const denied = await door.create(h, { serviceAccountId: id }, { token: viewer });
    assert.deepEqual([denied.code, denied.reason], [Code.PermissionDenied, "PERMISSION_DENIED"], door.name);
    const invalid = await door.create(h, { serviceAccountId: id, displayName: "" }, { token: admin });
    assert.deepEqual([invalid.code, invalid.reason], [Code.InvalidArgument, "INVALID_ARGUMENT"], door.name);
    if (door.name === "REST") assert.deepEqual([denied.httpStatus, invalid.httpStatus], [403, 400]);
  }
  return DOORS.length * 2;
}

const FLOOD = 1_000;

/** So many callers without the right at once. */
async function flood({ organizationId, id }: { readonly organizationId: string; readonly id: string }) {
  const viewer = callerOverGrpc(h);
  const headers = { authorization: `Bearer ${await h.token(organizationId, { roles: ["viewer"] })}` };
  const answers = Array.from({ length: FLOOD }, () =>
    viewer.call(CredentialService.method.createCredential, { serviceAccountId: id }, headers),
  );
  return async () => {
    for (const { reason } of await Promise.all(answers)) assert.equal(reason, "PERMISSION_DENIED");
    viewer.close();
  };
}

test(`${FLOOD} calls that are refused at once leave a row each`, async () => {
  const account = await h.givenAccount();
  const lostBefore = await lost();
  await (await flood(account))();
  assert.equal(await lost(), lostBefore);
  assert.equal(await rowsOf(account.organizationId), FLOOD);
});

test("the kill switch waits for no call that was refused, and each of them stands in the trail or is counted as lost", async () => {
  const account = await h.givenAccount();
  const { organizationId } = account;
  const lostBefore = await lost();
  const held = await holdChain(db, organizationId, REFUSED_CALLS_CHAIN);
  const allRefused = await flood(account);
  try {
    await eventually(isWaiting);
    const token = await h.token(organizationId);
    const revoked = await rest(h, "/v1/regions/global/iam/credentials:revokeAll", { method: "POST", token });
    assert.equal(revoked.status, 200);
  } finally {
    await held.release();
  }
  await allRefused();
  assert.equal((await rowsOf(organizationId)) + (await lost()) - lostBefore, FLOOD + 1);
});

test("refused calls of one organization that cannot be written hold up and lose none of another's", async () => {
  const [stuck, other] = [await h.givenAccount(), await h.givenAccount()];
  const held = await holdChain(db, stuck.organizationId, REFUSED_CALLS_CHAIN);
  try {
    const viewer = await h.token(stuck.organizationId, { roles: ["viewer"] });
    void rest(h, credentialsPath(stuck.id), { method: "POST", token: viewer });
    await eventually(isWaiting);
    const written = await assertRefused(other.organizationId, other.id);
    assert.equal(await rowsOf(other.organizationId), written);
  } finally {
    await held.release();
  }
});

const rowsOf = async (organizationId: string) => {
  const [row] = await db.sql`
    select count(*)::int as count from keyturn.audit_events where organization_id = ${organizationId}`;
  return row?.["count"];
};

test("with the database out of reach a refusal stays what it is, and each that is lost is counted", async () => {
  const { organizationId, id } = await h.givenAccount();
  const lostBefore = await lost();
  proxy.refuse();
  proxy.cut();
  let refusals = 0;
  try {
    refusals = await assertRefused(organizationId, id);
    assert.equal(await lost(), lostBefore + refusals);
  } finally {
    await proxy.listen();
  }
  assert.equal(await rowsOf(organizationId), 0);
  assert.equal(await assertRefused(organizationId, id), refusals);
  assert.equal(await rowsOf(organizationId), refusals);
  assert.equal(await lost(), lostBefore + refusals);
});

test("with a database that does not answer a refused caller is answered all the same, long before his deadline", async () => {
  const { organizationId, id } = await h.givenAccount();
  const token = await h.token(organizationId, { roles: ["viewer"] });
  const lostBefore = await lost();
  proxy.mode("silent");
  try {
    const began = performance.now();
    const { status } = await rest(h, credentialsPath(id), { method: "POST", token });
    assert.equal(status, 403);
    // Two seconds, on a machine that is busy; the deadline would be ten.
    assert.ok(performance.now() - began < 8_000);
    assert.equal(await lost(), lostBefore + 1);
  } finally {
    proxy.mode("pass");
    proxy.cut();
  }
  await assertRefused(organizationId, id);
});
