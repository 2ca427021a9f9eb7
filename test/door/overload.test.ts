import assert from "node:assert/strict";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { type Answer, DOORS, detailNamed, encodeCreate } from "../support/doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { frame, rawGrpc } from "../support/raw-grpc.ts";
import { assertAlive, eventually, metric } from "../support/stored.ts";

/** One hash at a time, none ready, each slow enough for a queue to build up behind it. */
const SCARCE = {
  KEYTURN_MINT_POOL_SIZE: "0",
  KEYTURN_HASH_PERMITS: "1",
  KEYTURN_ARGON2_MEMORY_KIB: "19456",
  KEYTURN_ARGON2_PASSES: "2",
};
/** The hasher's own bound on callers that wait. */
const QUEUE_MAX = 32;

const queued = (h: TestKeyturn) => metric(h, "keyturn_hash_queue_length");

test("callers beyond the permits and the queue are shed at once, and everybody else succeeds", async () => {
  const h = await givenKeyturn({ env: SCARCE });
  try {
    const { organizationId } = await h.givenAccount();
    const accounts = await Promise.all(Array.from({ length: 24 }, () => h.givenAccount(organizationId)));
    const token = await h.token(organizationId);
    const calls = accounts.flatMap(({ id }) =>
      DOORS.map((door) => door.create(h, { serviceAccountId: id }, { token })),
    );
    const answers = await Promise.all(calls);
    // Hashes let everything else go first, so that where the whole machine is busy some come too late.
    const late = answers.filter(({ code }) => code === Code.DeadlineExceeded).length;
    const shed = answers.filter(({ code }) => code !== 0 && code !== Code.DeadlineExceeded);
    const accepted = answers.length - shed.length - late;
    assert.ok(accepted + late >= 1 + QUEUE_MAX, `${accepted} were accepted, ${late} came too late`);
    assert.ok(shed.length > 0, "nobody was shed");
    for (const answer of shed) assertOverloaded(answer);
    const shedByHasher = await metric(h, "keyturn_hash_shed_total");
    assert.ok(shedByHasher > 0, "the hasher shed nobody");
    // On a busy machine a few wait too long for a connection afterwards.
    assert.equal(shedByHasher + (await metric(h, "keyturn_database_shed_total")), shed.length);
    const [row] = await h.db.sql<{ count: number }[]>`select count(*)::int from keyturn.credentials`;
    assert.ok(
      row !== undefined && row.count >= accepted && row.count <= accepted + late,
      `${row?.count} were stored`,
    );
    await assertAlive(h);
  } finally {
    await h.stop();
  }
});

function assertOverloaded(answer: Answer): void {
  assert.deepEqual([answer.code, answer.reason], [Code.Unavailable, "OVERLOADED"]);
  const { retryDelay } = detailNamed(answer, "RetryInfo") as { retryDelay: string };
  assert.ok(Number.parseFloat(retryDelay) > 0, retryDelay);
  if (answer.httpStatus !== undefined) {
    assert.equal(answer.httpStatus, 503);
    assert.ok(Number(answer.header("retry-after")) >= 1);
  }
}

test("nothing is hashed for callers who leave the queue", async () => {
  const h = await givenKeyturn({
    env: { ...SCARCE, KEYTURN_ARGON2_PASSES: "10", KEYTURN_ARGON2_MEMORY_KIB: "131072" },
  });
  const grpc = rawGrpc(h.grpcAddress);
  try {
    const { organizationId, id } = await h.givenAccount();
    const headers = { authorization: `Bearer ${await h.token(organizationId)}` };
    const body = frame(encodeCreate({ serviceAccountId: id }));
    const first = grpc.call(body, headers);
    await eventually(
      () => metric(h, "keyturn_hash_in_flight"),
      (count) => count === 1,
    );
    const leavers = Array.from({ length: 20 }, () => {
      const stream = grpc.open(headers);
      stream.on("error", () => {});
      stream.end(body);
      return stream;
    });
    await eventually(
      () => queued(h),
      (count) => count === 20,
    );
    for (const stream of leavers) stream.close();
    await eventually(
      () => queued(h),
      (count) => count === 0,
    );
    assert.equal((await first).code, 0);
    await eventually(
      () => metric(h, "keyturn_hash_in_flight"),
      (count) => count === 0,
    );
    assert.equal(await metric(h, "keyturn_hash_wait_seconds_count"), 1, "one hash was begun");
  } finally {
    grpc.close();
    await h.stop();
  }
});
