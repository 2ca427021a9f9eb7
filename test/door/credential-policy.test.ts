import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CredentialCreation } from "../../gen/keyturn/v1/credential_policy_pb.ts";
import { assertRefused, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { assertGrpcRefused, overGrpcAs } from "../support/grpc-administrator.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

let h: TestKeyturn;
/** The server's own bounds: one minute, 90 days, 365 days, five. */
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

const PATH = "/credential-policy";
const DAY = 86_400;
const SERVERS_OWN = {
  selfLink: "/v1/iam/credential-policy",
  defaultLifetime: `${90 * DAY}s`,
  minLifetime: "60s",
  maxLifetime: `${365 * DAY}s`,
  maxActiveCredentials: 5,
  creation: "allowed",
};

/** A policy without what changes with every update, and without what only a dry run says. */
const valuesOf = ({
  etag: _,
  updatedAt: __,
  violations: ___,
  violationCount: ____,
  ...values
}: Record<string, unknown>) => values;

test("an organization that nobody has heard of has the server's own policy", async () => {
  const admin = await givenAdministrator(h);
  const { etag, ...policy } = bodyOf(await admin.get(PATH));
  assert.deepEqual(policy, SERVERS_OWN);
  assert.ok(etag);
});

test("an update changes the fields that it names, and says when", async () => {
  const admin = await givenAdministrator(h);
  const first = bodyOf(await admin.patch(PATH, { maxActiveCredentials: 3, maxLifetime: `${100 * DAY}s` }));
  assert.deepEqual(valuesOf(first), {
    ...SERVERS_OWN,
    maxActiveCredentials: 3,
    maxLifetime: `${100 * DAY}s`,
  });
  assert.ok(first.updatedAt);
  const { violations: _, ...shown } = first;
  assert.deepEqual(bodyOf(await admin.get(PATH)), shown);

  const second = bodyOf(await admin.patch(PATH, { defaultLifetime: "7200s", etag: first.etag }));
  assert.deepEqual(valuesOf(second), { ...valuesOf(first), defaultLifetime: "7200s" });
  assert.notEqual(second.etag, first.etag);
});

test("a field that the mask names and that is not set takes the server's own value again", async () => {
  const admin = await givenAdministrator(h);
  const own = {
    defaultLifetime: "7200s",
    minLifetime: "3600s",
    maxLifetime: "9000s",
    maxActiveCredentials: 1,
  };
  bodyOf(await admin.patch(PATH, { ...own, creation: "denied" }));
  const updateMask = "minLifetime,maxLifetime,creation";
  assert.deepEqual(valuesOf(bodyOf(await admin.patch(PATH, { updateMask }))), {
    ...SERVERS_OWN,
    defaultLifetime: own.defaultLifetime,
    maxActiveCredentials: 1,
  });
  assert.deepEqual(valuesOf(bodyOf(await admin.patch(PATH, { updateMask: "*" }))), SERVERS_OWN);
});

test("over gRPC a mask does the same, and a path that is none is refused", async (t) => {
  const admin = await givenAdministrator(h);
  const grpc = overGrpcAs(admin, h);
  t.after(() => grpc.close());
  const { updateCredentialPolicy: update } = grpc.policies;
  await update({ maxActiveCredentials: 2, creation: CredentialCreation.DENIED });
  const reset = await update({ maxActiveCredentials: 4, updateMask: { paths: ["creation"] } });
  assert.deepEqual([reset.maxActiveCredentials, reset.creation], [2, CredentialCreation.ALLOWED]);
  for (const paths of [["maxActiveCredentials"], ["etag"], ["violations"], [""]])
    await assertGrpcRefused(
      update({ maxActiveCredentials: 4, updateMask: { paths } }),
      "InvalidArgument",
      "INVALID_ARGUMENT",
      ["update_mask"],
    );
  await assertGrpcRefused(
    update({ minLifetime: { seconds: 90n, nanos: 1 } }),
    "InvalidArgument",
    "INVALID_ARGUMENT",
    ["min_lifetime"],
  );
});

type Bounds = Readonly<Record<string, string>>;

const OUT_OF_BOUNDS: readonly [body: object, bounds: Bounds][] = [
  [{ maxActiveCredentials: 6 }, { field: "max_active_credentials", maximum: "5" }],
  [{ minLifetime: "59s" }, { field: "min_lifetime", minimum: "60" }],
  [{ minLifetime: `${366 * DAY}s` }, { field: "min_lifetime", maximum: String(365 * DAY) }],
  [{ maxLifetime: `${365 * DAY + 1}s` }, { field: "max_lifetime", maximum: String(365 * DAY) }],
  [{ maxLifetime: "59s" }, { field: "max_lifetime", minimum: "60" }],
  [{ defaultLifetime: "59s" }, { field: "default_lifetime", minimum: "60" }],
  [{ defaultLifetime: `${366 * DAY}s` }, { field: "default_lifetime", maximum: String(365 * DAY) }],
  [
    { minLifetime: "7200s", maxLifetime: "3600s" },
    { field: "min_lifetime", maximum: "3600" },
  ],
  [
    { minLifetime: "3600s", defaultLifetime: "3599s" },
    { field: "default_lifetime", minimum: "3600" },
  ],
  [
    { maxLifetime: "3600s", defaultLifetime: "3601s" },
    { field: "default_lifetime", maximum: "3600" },
  ],
];

for (const [body, metadata] of OUT_OF_BOUNDS) {
  test(`a policy with ${JSON.stringify(body)} is refused with the bound, and changes nothing`, async () => {
    const admin = await givenAdministrator(h);
    const refusal = { reason: "POLICY_OUT_OF_BOUNDS", metadata, fields: [metadata["field"] ?? ""] };
    for (const validateOnly of [true, false])
      assertRefused(await admin.patch(PATH, { ...body, validateOnly }), 422, refusal);
    assert.deepEqual(valuesOf(bodyOf(await admin.get(PATH))), SERVERS_OWN);
  });
}

test("every value at its very bound is allowed, and bounds that were set bind later changes", async () => {
  const admin = await givenAdministrator(h);
  bodyOf(await admin.patch(PATH, { minLifetime: "3600s", maxLifetime: "3600s", defaultLifetime: "3600s" }));
  const refusal = {
    reason: "POLICY_OUT_OF_BOUNDS",
    metadata: { field: "default_lifetime", maximum: "3600" },
  };
  assertRefused(await admin.patch(PATH, { defaultLifetime: "3601s" }), 422, refusal);
  bodyOf(await admin.patch(PATH, { maxActiveCredentials: 5, maxLifetime: `${365 * DAY}s` }));
});

const MALFORMED: readonly [body: object, field: string][] = [
  [{}, "update_mask"],
  [{ maxActiveCredentials: 0 }, "max_active_credentials"],
  [{ maxActiveCredentials: 101 }, "max_active_credentials"],
  [{ maxActiveCredentials: "many" }, "max_active_credentials"],
  [{ minLifetime: "0s" }, "min_lifetime"],
  [{ minLifetime: "90.5s" }, "min_lifetime"],
  [{ minLifetime: 90 }, "min_lifetime"],
  [{ defaultLifetime: "-1s" }, "default_lifetime"],
  [{ maxLifetime: "2147483648s" }, "max_lifetime"],
  [{ creation: "forbidden" }, "creation"],
  [{ updatedAt: "2026-01-01T00:00:00Z" }, "updatedAt"],
];

for (const [body, field] of MALFORMED) {
  test(`a policy with ${JSON.stringify(body)} is refused by the name of ${field}`, async () => {
    const admin = await givenAdministrator(h);
    const refusal = { reason: "INVALID_ARGUMENT", fields: [field] };
    assertRefused(await admin.patch(PATH, body), 400, refusal);
  });
}

test("an organization of its own policy leaves every other one as it was", async () => {
  const [admin, stranger] = [await givenAdministrator(h), await givenAdministrator(h)];
  bodyOf(await admin.patch(PATH, { maxActiveCredentials: 1 }));
  assert.deepEqual(valuesOf(bodyOf(await stranger.get(PATH))), SERVERS_OWN);
});
