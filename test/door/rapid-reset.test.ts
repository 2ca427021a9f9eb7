import assert from "node:assert/strict";
import { constants } from "node:http2";
import { after, before, test } from "node:test";
import { DOORS, encodeCreate } from "../support/doors.ts";
import { GOOD_TOKEN, givenDoors } from "../support/given-doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { frame, rawGrpc } from "../support/raw-grpc.ts";
import { assertAlive, eventually, metric, storedCount } from "../support/stored.ts";

const RESETS = 5_000;

let h: TestKeyturn;
before(async () => {
  // No pool: every create would need a hash of its own.
  h = await givenKeyturn({ env: { KEYTURN_MINT_POOL_SIZE: "0" } });
});
after(() => h.stop());

/** Opens calls and takes each back at once, until there were enough or the server has had enough. */
async function resetRapidly(address: string, headers: Record<string, string>, body: Buffer): Promise<number> {
  const { session, open, close } = rawGrpc(address);
  const gone = new Promise<void>((resolve) => session.once("close", resolve));
  let count = 0;
  for (; count < RESETS && !session.closed && !session.destroyed; count++) {
    const stream = open(headers);
    stream.on("error", () => {});
    stream.end(body);
    stream.close(constants.NGHTTP2_CANCEL);
    // Lets the frames out: a call that is taken back before it was sent costs the server nothing.
    if (count % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
  }
  if (count === RESETS) close();
  await gone;
  return count;
}

test("5,000 calls that are taken back on one connection cost few hashes and store next to nothing", async () => {
  const { organizationId, id } = await h.givenAccount();
  const token = await h.token(organizationId);
  const headers = { authorization: `Bearer ${token}` };
  await resetRapidly(h.grpcAddress, headers, frame(encodeCreate({ serviceAccountId: id })));
  await eventually(
    () => metric(h, "keyturn_hash_in_flight"),
    (count) => count === 0,
  );
  const hashed = await metric(h, "keyturn_hash_wait_seconds_count");
  assert.ok(hashed < 200, `${hashed} hashes were begun`);
  assert.ok((await storedCount(h, id)) <= 5);
  await assertAlive(h);
});

test("while one connection resets, the others are served at every door", async () => {
  const { organizationId, id } = await h.givenAccount();
  const own = await h.givenAccount(organizationId);
  const token = await h.token(organizationId);
  const attack = resetRapidly(
    h.grpcAddress,
    { authorization: `Bearer ${token}` },
    frame(encodeCreate({ serviceAccountId: id })),
  );
  for (const door of DOORS) {
    const answer = await door.create(h, { serviceAccountId: own.id }, { token });
    assert.equal(answer.code, 0, `${door.name} ${answer.reason}`);
  }
  await attack;
});

test("a call that was taken back before its body came never reaches its handler", async () => {
  const doors = await givenDoors();
  const grpc = rawGrpc(doors.grpcAddress);
  try {
    const taken = Array.from({ length: 50 }, () => grpc.open({ authorization: `Bearer ${GOOD_TOKEN}` }));
    for (const stream of taken) {
      stream.on("error", () => {});
      stream.close(constants.NGHTTP2_CANCEL);
    }
    await new Promise((resolve) => grpc.session.ping(resolve));
    assert.equal((await grpc.call(frame(Buffer.alloc(0)), { authorization: "Bearer other" })).code, 16);
    assert.equal(doors.calls.length, 0);
  } finally {
    grpc.close();
    await doors.stop();
  }
});

test("a connection that does nothing but reset is given up long before its 5,000th call", async () => {
  const doors = await givenDoors();
  try {
    const headers = { authorization: `Bearer ${GOOD_TOKEN}` };
    const count = await resetRapidly(
      doors.grpcAddress,
      headers,
      frame(encodeCreate({ serviceAccountId: "sa-one" })),
    );
    assert.ok(count < 2_000, `${count} calls were taken`);
    const next = rawGrpc(doors.grpcAddress);
    const answer = await next.call(frame(encodeCreate({ serviceAccountId: "sa-one" })), headers);
    next.close();
    assert.equal(answer.code, 0, "its client may come again");
  } finally {
    await doors.stop();
  }
});
