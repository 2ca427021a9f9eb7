import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { connectClient, rest, restCreate } from "../support/clients.ts";
import { encodeCreate, fromRest, violatedFields } from "../support/doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { CREATE_PATH, frame, rawGrpc } from "../support/raw-grpc.ts";
import { assertNothingStored } from "../support/stored.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

const NOT_TIMESTAMPS: readonly unknown[] = [
  "2999-01-01T00:00:00",
  "2999-01-01",
  "2999-01-01 00:00:00Z",
  "2999-02-30T00:00:00Z",
  "10000-01-01T00:00:00Z",
  "0000-01-01T00:00:00Z",
  // RFC 3339 has leap seconds, one that there was and one that nobody can know of; Protobuf's timestamps have none.
  "2016-12-31T23:59:60Z",
  "2999-06-30T23:59:60Z",
  "2999-07-01T01:59:60.5+02:00",
  "tomorrow",
  "",
  4_102_444_800,
  true,
  {},
  ["2999-01-01T00:00:00Z"],
];

for (const expiresAt of NOT_TIMESTAMPS) {
  test(`expiresAt ${JSON.stringify(expiresAt)} is refused by its field over REST and Connect, and nothing is stored`, async () => {
    const { organizationId, id } = await h.givenAccount();
    const token = await h.token(organizationId);
    const res = await restCreate(h, id, token, { expiresAt });
    const viaRest = fromRest(res.status, res.headers, res.body);
    assert.equal(res.status, 400);
    assert.equal(viaRest.reason, "INVALID_ARGUMENT");
    assert.deepEqual(violatedFields(viaRest), ["expires_at"]);

    const viaConnect = await rest(h, CREATE_PATH, {
      method: "POST",
      token,
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ serviceAccountId: id, expiresAt }),
    });
    assert.equal(viaConnect.status, 400);
    assert.equal(viaConnect.body.code, "invalid_argument");
    await assertNothingStored(h, id);
  });
}

const OUT_OF_RANGE = [
  { seconds: 253_402_300_800n, nanos: 0 },
  { seconds: -62_135_596_801n, nanos: 0 },
  { seconds: 2n ** 63n - 1n, nanos: 0 },
  { seconds: -(2n ** 63n), nanos: 0 },
  { seconds: 4_102_444_800n, nanos: 1_000_000_000 },
  { seconds: 4_102_444_800n, nanos: -1 },
];

for (const expiresAt of OUT_OF_RANGE) {
  test(`a binary timestamp of ${expiresAt.seconds} s and ${expiresAt.nanos} ns is refused, and nothing is stored`, async () => {
    const { organizationId, id } = await h.givenAccount();
    const token = await h.token(organizationId);
    const req = { serviceAccountId: id, expiresAt };
    const grpc = rawGrpc(h.grpcAddress);
    try {
      const answer = await grpc.call(frame(encodeCreate(req)), { authorization: `Bearer ${token}` });
      assert.equal(answer.code, Code.InvalidArgument);
      assert.deepEqual(violatedFields(answer), ["expires_at"]);
    } finally {
      grpc.close();
    }
    for (const protocol of ["connect-proto", "grpc-web"] as const) {
      const call = connectClient(h, protocol).createCredential(req, {
        headers: { authorization: `Bearer ${token}` },
      });
      await assert.rejects(call, { code: Code.InvalidArgument });
    }
    await assertNothingStored(h, id);
  });
}
