import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { createHasher } from "../../src/auth/hasher.ts";
import type { HashCost } from "../../src/auth/phc.ts";
import { createVerifiedSecrets } from "../../src/auth/verified-secrets.ts";
import { rehash } from "../../src/service/rehash.ts";
import { openCredentialChecks } from "../../src/storage/credential-checks.ts";
import { openCredentialHashes } from "../../src/storage/credential-hashes.ts";
import type { Database } from "../../src/storage/database.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { givenPool } from "../support/given-pool.ts";
import type { Account } from "./create-call.ts";
import { givenCredential } from "./stored-credential.ts";

const OLD: HashCost = { memoryKib: 64, passes: 1, lanes: 1 };
const NEW: HashCost = { memoryKib: 128, passes: 2, lanes: 1 };

let db: TestDatabase;
/** With the login of a server. */
let pool: Database;
before(async () => {
  db = await givenDatabase();
  pool = givenPool(db.serverUrl, 2);
});
after(async () => {
  await pool.close(1_000);
  await db.drop();
});

const { signal } = new AbortController();

const hasherOf = (cost: HashCost) =>
  createHasher({ permits: 1, cost, randomBytes, now: () => performance.now(), random: Math.random });

/** A credential as a check finds it. */
async function given(account: Account, secretHash: string) {
  const credentialId = await givenCredential(db.sql, account);
  await db.sql`update keyturn.credentials set secret_hash = ${secretHash} where id = ${credentialId}`;
  const found = await openCredentialChecks(pool)({ credentialId, address: undefined }, signal);
  return found ?? assert.fail("not found");
}

/** The hashes of all credentials of an account. */
async function hashesOf({ organizationId }: Account): Promise<string[]> {
  const rows = await db.sql<{ secret_hash: string }[]>`
    select secret_hash from keyturn.credentials where organization_id = ${organizationId} order by created_at, id`;
  return rows.map(({ secret_hash }) => secret_hash).sort();
}

test("the hash that was checked is replaced, and that of no other credential with the same one", async () => {
  const account = await givenAccount(db.sql);
  const { principal } = await given(account, "old");
  await given(account, "old");
  await openCredentialHashes(pool)(principal, "old", "new");
  assert.deepEqual(await hashesOf(account), ["new", "old"]);
});

test("a hash that was replaced meanwhile stays, and so does whatever is named amiss", async () => {
  const account = await givenAccount(db.sql);
  const { principal } = await given(account, "old");
  const replace = openCredentialHashes(pool);
  await replace(principal, "older", "new");
  await replace({ ...principal, organizationId: "org-other" }, "old", "new");
  await replace({ ...principal, serviceAccountId: "sa-other" }, "old", "new");
  await replace({ ...principal, credentialUid: "00000000-0000-0000-0000-000000000000" }, "old", "new");
  assert.deepEqual(await hashesOf(account), ["old"]);
  await Promise.all(["new 1", "new 2"].map((hash) => replace(principal, "old", hash)));
  assert.match((await hashesOf(account)).join(), /^new [12]$/);
});

test("a secret of the old cost is hashed anew at that of the configuration, and matches as before", async () => {
  const account = await givenAccount(db.sql);
  const [before, now] = [hasherOf(OLD), hasherOf(NEW)];
  const found = await given(account, await before.hash("right"));
  const errors: unknown[] = [];
  const onError = (err: unknown) => void errors.push(err);
  const verified = createVerifiedSecrets(10, randomBytes);
  rehash({ hasher: now, verified, replaceHash: openCredentialHashes(pool), onError })("right", found);
  const [hash = ""] = await eventually(async () => {
    const hashes = await hashesOf(account);
    return hashes[0] === found.secretHash ? undefined : hashes;
  });
  assert.match(hash, /^\$argon2id\$v=19\$m=128,t=2,p=1\$/);
  assert.deepEqual([await now.verify(hash, "right"), await now.verify(hash, "wrong")], [true, false]);
  assert.deepEqual([now.isCheaper(found.secretHash), now.isCheaper(hash), errors], [true, false, []]);
});

test("a replaced hash changes neither state, nor etag, nor the trail", async () => {
  const account = await givenAccount(db.sql);
  const { principal } = await given(account, "old");
  const states = () =>
    db.sql`select to_jsonb(s) as state from keyturn.credential_states(
             ${account.organizationId}, ${account.id}, '2026-01-01Z') s`;
  const trail = () =>
    db.sql`select from keyturn.audit_events where organization_id = ${account.organizationId}`;
  const before = await states();
  await openCredentialHashes(pool)(principal, "old", "new");
  assert.deepEqual(await states(), before);
  assert.equal((await trail()).length, 0);
});
