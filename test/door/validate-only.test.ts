import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Administrator, bodyOf, givenAdministrator } from "../support/administrator.ts";
import type { RestAnswer } from "../support/clients.ts";
import { fromRest } from "../support/doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

let h: TestKeyturn;
let admin: Administrator;
let other: { readonly id: string; readonly etag: string };
before(async () => {
  h = await givenKeyturn({ env: { KEYTURN_ADMIN_ROLES: "owner,admin,project-admin" } });
  admin = await givenAdministrator(h);
  const account = { id: "sa-1", displayName: "First", description: "About it", roles: ["reader"] };
  bodyOf(await admin.post("/service-accounts", account), 201);
  bodyOf(await admin.post("/service-accounts", { id: "sa-2", displayName: "Second" }), 201);
  bodyOf(await admin.post("/service-accounts", { id: "sa-full", displayName: "Full" }), 201);
  for (let i = 0; i < 5; i += 1) bodyOf(await admin.post("/service-accounts/sa-full/credentials"), 201);
  const labels = { team: "core" };
  const named = { displayName: "First", labels };
  const { id } = bodyOf(await admin.post("/service-accounts/sa-1/credentials", named), 201);
  other = bodyOf(await admin.get(`/service-accounts/sa-1/credentials/${id}`));
});
after(() => h.stop());

/** Every row of every table, as text. */
async function dump(): Promise<string> {
  const { sql } = h.db;
  const tables = await sql<{ name: string }[]>`
    select oid::regclass::text as name from pg_class
     where relnamespace = 'keyturn'::regnamespace and relkind = 'r' order by name`;
  const rows = [];
  for (const { name } of tables)
    rows.push(
      await sql.unsafe(`select '${name}' as table_name, to_jsonb(t)::text as row from ${name} t order by 2`),
    );
  return JSON.stringify(rows);
}

interface Mutation {
  readonly name: string;
  /** Does it, or tries it. */
  call(validateOnly: boolean): Promise<RestAnswer>;
  /** What a dry run cannot know, and what two calls have not in common. */
  readonly unlike: readonly string[];
}

const CREDENTIALS = "/service-accounts/sa-1/credentials";
const MADE = ["selfLink", "uid", "id", "clientSecret", "createdAt", "expiresAt"];
const DAY_MS = 86_400_000;
const later = new Date(Date.now() + DAY_MS).toISOString();

/** In an order in which each can be done after the others. */
const MUTATIONS: readonly Mutation[] = [
  {
    name: "CreateServiceAccount",
    call: (validateOnly) =>
      admin.post("/service-accounts", {
        id: "sa-new",
        displayName: "New",
        description: "About it",
        roles: ["reader"],
        scope: "project",
        scopeId: "p1",
        validateOnly,
      }),
    unlike: ["selfLink", "uid", "etag", "createdAt", "updatedAt"],
  },
  {
    name: "UpdateServiceAccount",
    call: (validateOnly) =>
      admin.patch("/service-accounts/sa-1", {
        displayName: "Other",
        description: "",
        roles: [],
        validateOnly,
      }),
    unlike: ["etag", "updatedAt"],
  },
  {
    name: "CreateCredential",
    call: (validateOnly) =>
      admin.post(CREDENTIALS, {
        displayName: "New",
        labels: { "a/b": "c", d: "" },
        notBefore: later,
        validateOnly,
      }),
    unlike: MADE,
  },
  {
    name: "RotateCredential with a grace period",
    call: (validateOnly) =>
      admin.post(`${CREDENTIALS}/${other.id}:rotate`, {
        gracePeriod: "3600s",
        etag: other.etag,
        validateOnly,
      }),
    unlike: [...MADE, "replacedCredential"],
  },
  {
    name: "RotateCredential without one",
    call: (validateOnly) =>
      admin.post(`${CREDENTIALS}/${other.id}:rotate`, { expiresAt: later, validateOnly }),
    unlike: ["selfLink", "uid", "id", "clientSecret", "createdAt", "replacedCredential"],
  },
  {
    name: "UpdateCredentialPolicy",
    call: (validateOnly) =>
      admin.patch("/credential-policy", { maxLifetime: "86400s", defaultLifetime: "3600s", validateOnly }),
    unlike: ["etag", "updatedAt", "violations", "violationCount"],
  },
  {
    name: "RevokeAllCredentials of an account",
    call: (validateOnly) => admin.post("/service-accounts/sa-1:revokeCredentials", { validateOnly }),
    unlike: ["revokedBefore"],
  },
  {
    name: "RevokeAllCredentials of the organization",
    call: (validateOnly) =>
      admin.post("/credentials:revokeAll", { exemptServiceAccountIds: ["sa-full"], validateOnly }),
    unlike: ["revokedBefore"],
  },
];

for (const { name, call, unlike } of MUTATIONS) {
  test(`${name} with validateOnly answers 200 with what the real one answers, and writes nothing at all`, async () => {
    const before = await dump();
    const dry = bodyOf(await call(true));
    assert.equal(await dump(), before);
    const real = await call(false);
    assert.ok([200, 201].includes(real.status), real.text);
    assert.notEqual(await dump(), before);
    const without = (body: object) =>
      Object.fromEntries(Object.entries(body).filter(([key]) => !unlike.includes(key)));
    assert.deepEqual(without(dry), without(real.body));
    for (const secret of ["clientSecret", "uid", "selfLink", "etag"].filter(
      (key) => unlike.includes(key) && key !== "etag",
    ))
      assert.equal(dry[secret], undefined, secret);
  });
}

for (const what of ["credential", "service account"]) {
  test(`a delete of a ${what} with validateOnly writes nothing at all, and the real one answers no body`, async () => {
    const { id } = bodyOf(await admin.post("/service-accounts/sa-2/credentials"), 201);
    const account = "/service-accounts/sa-2";
    const path = what === "credential" ? `${account}/credentials/${id}` : account;
    const before = await dump();
    bodyOf(await admin.delete(path, { validateOnly: true }));
    assert.equal(await dump(), before);
    bodyOf(await admin.get(path));
    const real = await admin.delete(path);
    assert.deepEqual([real.status, real.text], [204, ""]);
  });
}

const FULL = "/service-accounts/sa-full";
const dry = { validateOnly: true };

const REFUSED: readonly [reason: string, call: () => Promise<RestAnswer>][] = [
  ["ALREADY_EXISTS", () => admin.post("/service-accounts", { id: "sa-full", displayName: "Again", ...dry })],
  ["INVALID_ARGUMENT", () => admin.post("/service-accounts", { id: "sa-x", displayName: "", ...dry })],
  [
    "INVALID_ARGUMENT",
    () => admin.post("/service-accounts", { id: "sa-x", displayName: "X", scope: "project", ...dry }),
  ],
  ["INVALID_ARGUMENT", () => admin.patch(FULL, dry)],
  ["ETAG_MISMATCH", () => admin.patch(FULL, { displayName: "Other", etag: "x", ...dry })],
  ["NOT_FOUND", () => admin.patch("/service-accounts/sa-none", { displayName: "Other", ...dry })],
  ["ETAG_MISMATCH", () => admin.delete(FULL, { etag: "x", ...dry })],
  ["NOT_FOUND", () => admin.delete(`${FULL}/credentials/cred-none`, dry)],
  ["CREDENTIAL_LIMIT_REACHED", () => admin.post(`${FULL}/credentials`, { expiresAt: later, ...dry })],
  ["EXPIRY_IN_PAST", () => admin.post(`${FULL}/credentials`, { expiresAt: "2020-01-01T00:00:00Z", ...dry })],
  ["NOT_FOUND", () => admin.post(`${FULL}/credentials/cred-none:rotate`, dry)],
  ["POLICY_OUT_OF_BOUNDS", () => admin.patch("/credential-policy", { maxActiveCredentials: 6, ...dry })],
  ["NOT_FOUND", () => admin.post("/service-accounts/sa-none:revokeCredentials", dry)],
  ["NOT_FOUND", () => admin.post("/credentials:revokeAll", { exemptServiceAccountIds: ["sa-none"], ...dry })],
];

test("what is refused with validateOnly is refused as without, and leaves no row behind either", async () => {
  const before = await dump();
  for (const [reason, call] of REFUSED) {
    const res = await call();
    assert.equal(fromRest(res.status, res.headers, res.body).reason, reason, res.text);
  }
  assert.equal(await dump(), before);
});

test("who may not call at all leaves a row in the trail also with validateOnly", async () => {
  const { organizationId } = admin;
  const member = await givenAdministrator(h, {
    organizationId,
    claims: { roles: ["member"], sub: "user-member" },
  });
  const account = { id: "sa-x", displayName: "X", ...dry };
  assert.equal((await member.post("/service-accounts", account, { "x-request-id": "tried" })).status, 403);
  const rows = await h.db.sql`
    select outcome from keyturn.audit_events where organization_id = ${organizationId} and request_id = 'tried'`;
  assert.deepEqual([...rows], [{ outcome: "permission_denied" }]);
});
