import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { connectClient, grpcClient, restCreate } from "../support/clients.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

const SECRET = /^plt_cs_cred-[0-9a-hjkmnp-tv-z]{20}_[0-9A-Za-z]{60}$/;

test("the REST edge answers 201 with exactly the fields of the seed, a Location, and nothing for a cache", async () => {
  const { organizationId, id } = await h.givenAccount();
  const res = await restCreate(h, id, await h.token(organizationId));
  assert.equal(res.status, 201);
  assert.deepEqual(Object.keys(res.body), [
    "selfLink",
    "uid",
    "id",
    "serviceAccountId",
    "status",
    "expiresAt",
    "createdBy",
    "createdAt",
    "clientSecret",
  ]);
  assert.match(res.body.clientSecret, SECRET);
  assert.equal(res.body.status, "active");
  assert.equal(res.body.selfLink, `/v1/iam/service-accounts/${id}/credentials/${res.body.id}`);
  assert.equal(res.body.createdBy, "user-admin-001");
  assert.equal(Date.parse(res.body.expiresAt) - Date.parse(res.body.createdAt), 90 * 86_400_000);
  assert.equal(res.headers.get("cache-control"), "no-store");
  assert.equal(
    res.headers.get("location"),
    `/v1/regions/global/iam/service-accounts/${id}/credentials/${res.body.id}`,
  );
});

for (const protocol of ["connect-json", "connect-proto", "grpc-web"] as const) {
  test(`the same create works over ${protocol}`, async () => {
    const { organizationId, id } = await h.givenAccount();
    const headers = { authorization: `Bearer ${await h.token(organizationId)}` };
    const created = await connectClient(h, protocol).createCredential({ serviceAccountId: id }, { headers });
    assert.match(created.clientSecret, SECRET);
  });
}

test("the same create works over gRPC with a grpc-js client", async () => {
  const { organizationId, id } = await h.givenAccount();
  const client = grpcClient(h.grpcAddress);
  try {
    const created = await client.createCredential(
      { serviceAccountId: id },
      { token: await h.token(organizationId) },
    );
    assert.match(created.clientSecret, SECRET);
    assert.equal(created.serviceAccountId, id);
  } finally {
    client.close();
  }
});
