import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Administrator, assertRefused, bodyOf, givenAdministrator } from "../support/administrator.ts";
import type { RestAnswer } from "../support/clients.ts";
import { assertGrpcRefused, overGrpcAs } from "../support/grpc-administrator.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

let h: TestKeyturn;
let admin: Administrator;
before(async () => {
  h = await givenKeyturn();
  admin = await givenAdministrator(h);
});
after(() => h.stop());

let count = 0;

async function givenAccount(): Promise<string> {
  count += 1;
  bodyOf(await admin.post("/service-accounts", { id: `sa-${count}`, displayName: "Account" }), 201);
  return `/service-accounts/sa-${count}`;
}

async function givenCredential(account: string): Promise<string> {
  return `${account}/credentials/${bodyOf(await admin.post(`${account}/credentials`), 201).id}`;
}

const etagOf = async (path: string): Promise<string> => bodyOf(await admin.get(path)).etag;

const MISMATCH = { reason: "ETAG_MISMATCH" };

interface Guarded {
  readonly name: string;
  /** The resource that the etag is of. */
  given(): Promise<string>;
  /** A change of it by somebody else. */
  change(path: string): Promise<unknown>;
  call(path: string, etag: string): Promise<RestAnswer>;
}

const renamed = (path: string) => admin.patch(path, { displayName: "Somebody else's" });
const rotatedGently = (path: string) => admin.post(`${path}:rotate`, { gracePeriod: "3600s" });
const policyChanged = () => admin.patch("/credential-policy", { minLifetime: `${60 + ++count}s` });
const givenNewCredential = async () => givenCredential(await givenAccount());

const GUARDED: readonly Guarded[] = [
  {
    name: "an update of an account",
    given: givenAccount,
    change: renamed,
    call: (path, etag) => admin.patch(path, { description: "Mine", etag }),
  },
  {
    name: "a delete of an account",
    given: givenAccount,
    change: renamed,
    call: (path, etag) => admin.delete(path, { etag }),
  },
  {
    name: "a rotation",
    given: givenNewCredential,
    change: rotatedGently,
    call: (path, etag) => admin.post(`${path}:rotate`, { etag }),
  },
  {
    name: "a delete of a credential",
    given: givenNewCredential,
    change: rotatedGently,
    call: (path, etag) => admin.delete(path, { etag }),
  },
  {
    name: "an update of the policy",
    given: async () => "/credential-policy",
    change: policyChanged,
    call: (path, etag) => admin.patch(path, { minLifetime: "60s", etag }),
  },
];

for (const { name, given, change, call } of GUARDED) {
  test(`${name} with the etag of what was there before is refused and changes nothing; with the new one it is done`, async () => {
    const path = await given();
    const old = await etagOf(path);
    await change(path);
    const now = bodyOf(await admin.get(path));
    assert.notEqual(now.etag, old);
    for (const etag of [
      old,
      "x",
      `${now.etag} `,
      now.etag.toUpperCase() === now.etag ? "X" : now.etag.toUpperCase(),
    ])
      assertRefused(await call(path, etag), 409, MISMATCH);
    assert.deepEqual(bodyOf(await admin.get(path)), now);
    const done = await call(path, now.etag);
    assert.ok(done.status < 300, done.text);
  });
}

test("over gRPC a wrong etag is ABORTED", async (t) => {
  const grpc = overGrpcAs(admin, h);
  t.after(() => grpc.close());
  const account = await givenAccount();
  const [id = ""] = account.split("/").slice(2);
  const credentialId = (await givenCredential(account)).split("/").at(-1) ?? "";
  const target = { serviceAccountId: id, id: credentialId, etag: "x" };
  const refused = (call: Promise<unknown>) => assertGrpcRefused(call, "Aborted", "ETAG_MISMATCH");
  await refused(grpc.accounts.updateServiceAccount({ id, displayName: "Mine", etag: "x" }));
  await refused(grpc.accounts.deleteServiceAccount({ id, etag: "x" }));
  await refused(grpc.credentials.rotateCredential(target));
  await refused(grpc.credentials.deleteCredential(target));
  await refused(grpc.policies.updateCredentialPolicy({ maxActiveCredentials: 3, etag: "x" }));
});

test("an etag stays while the thing stays as it is, also when it is used, and an account's when credentials come and go", async () => {
  const account = await givenAccount();
  const credential = await givenCredential(account);
  const [accountEtag, credentialEtag] = [await etagOf(account), await etagOf(credential)];
  const [id = "", , credentialId = ""] = credential.split("/").slice(2);
  await h.db.sql`
    insert into keyturn.credential_usage (organization_id, service_account_id, credential_id, last_used_at)
    values (${admin.organizationId}, ${id}, ${credentialId}, clock_timestamp())`;
  await givenCredential(account);
  bodyOf(await admin.patch(account, { displayName: "Renamed", validateOnly: true }));
  assert.equal(await etagOf(account), accountEtag);
  assert.equal(await etagOf(credential), credentialEtag);
});

test("a credential's etag changes when it is revoked", async () => {
  const account = await givenAccount();
  const credential = await givenCredential(account);
  const etag = await etagOf(credential);
  bodyOf(await admin.post(`${account}:revokeCredentials`));
  assertRefused(await admin.delete(credential, { etag }), 409, MISMATCH);
});

test("an etag of an account is none of the account that was created anew under its id", async () => {
  const path = await givenAccount();
  const etag = await etagOf(path);
  assert.equal((await admin.delete(path)).status, 204);
  bodyOf(await admin.post("/service-accounts", { id: path.split("/")[2], displayName: "Anew" }), 201);
  assertRefused(await admin.delete(path, { etag }), 409, MISMATCH);
});

test("a dry run of an update gives no etag by which a later one could go over somebody else's", async () => {
  for (const [path, body] of [
    [await givenAccount(), { displayName: "Mine" }],
    ["/credential-policy", { minLifetime: "90s" }],
  ] as const)
    assert.equal(bodyOf(await admin.patch(path, { ...body, validateOnly: true })).etag, undefined);
});
