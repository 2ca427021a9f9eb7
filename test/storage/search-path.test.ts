import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { after, before, test } from "node:test";
import postgres from "postgres";
import type { Fragment } from "../../src/storage/mutation.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import {
  type Account,
  boundsOf,
  callCreate,
  callerOf,
  freshCredentialId,
  newOf,
  outcomeOf,
} from "./create-call.ts";
import { givenCredential } from "./stored-credential.ts";

let db: TestDatabase;
/** The login of a server: a member of `keyturn_app` and nothing else. */
let server: postgres.Sql;
before(async () => {
  db = await givenDatabase();
  server = postgres(db.serverUrl, { max: 1, onnotice: () => {} });
  await shadowEverything();
});
after(async () => {
  await server.end();
  await db.drop();
});

const TABLES = [
  "organizations",
  "service_accounts",
  "credentials",
  "credential_usage",
  "replays",
  "audit_events",
  "audit_chains",
  "events",
  "event_delivery",
  "expiry_notices",
];
/** One function a file. */
const FUNCTIONS = new URL("../../src/storage/functions/", import.meta.url);
/** Some that ours call. */
const BUILT_IN = [
  "clock_timestamp()",
  "statement_timestamp()",
  "date_trunc(text, timestamptz)",
  "sha256(bytea)",
  "pg_current_xact_id()",
  "make_interval(int, int, int, int, int, int, float8)",
];

/** A function that raises, under the name and with the arguments of each of ours and of some that ours call. */
async function shadowFunctions(schema: string): Promise<string[]> {
  const shadows = await db.sql<{ definition: string }[]>`
    select format(
             'create function ${db.sql.unsafe(schema)}.%I(%s) returns %s language plpgsql as '
             '$shadow$ begin raise exception ''shadowed''; end $shadow$',
             proname, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid)) as definition
      from pg_proc p
     where pronamespace = 'keyturn'::regnamespace or p.oid = any(${BUILT_IN}::regprocedure[])`;
  assert.equal(shadows.length, readdirSync(FUNCTIONS).length + BUILT_IN.length);
  return shadows.map(({ definition }) => definition);
}

/** Tables, functions and an operator of the same names, in front of ours on the server's search path. */
async function shadowEverything(): Promise<void> {
  for (const definition of await shadowFunctions("public")) await db.sql.unsafe(definition);
  await db.sql.unsafe(`
    create function public.never(timestamptz, timestamptz) returns boolean language plpgsql
      as $$ begin raise exception 'shadowed'; end $$;
    create operator public.> (leftarg = timestamptz, rightarg = timestamptz, function = public.never);`);
  for (const table of TABLES) {
    await db.sql.unsafe(`create table public.${table} (like keyturn.${table} including all)`);
    await server.unsafe(`create temp table ${table} (like keyturn.${table} including all)`);
  }
  for (const definition of await shadowFunctions("pg_temp")) await server.unsafe(definition);
  await server.unsafe("set search_path = pg_temp, public, pg_catalog");
  await assert.rejects(server`select clock_timestamp()`, /shadowed/);
}

async function assertShadowsAreEmpty(): Promise<void> {
  for (const table of TABLES) {
    const [temporary] = await server.unsafe(`select from pg_temp.${table}`);
    const [inPublic] = await db.sql.unsafe(`select from public.${table}`);
    assert.deepEqual([temporary, inPublic], [undefined, undefined], table);
  }
}

test("names on the caller's search path redirect no create", async () => {
  const account = await givenAccount(db.sql);
  const credentialId = "cred-real";
  assert.equal((await callCreate(server, account, { credentialId })).outcome, "done");
  const full = await callCreate(server, account, { activeMax: 1 });
  assert.deepEqual([full.outcome, full.safest_to_delete], ["credential_limit_reached", credentialId]);
  await assertShadowsAreEmpty();
});

/** Every other mutation, of an account with a credential. */
const mutations: Record<string, (sql: postgres.Sql, account: Account, credentialId: string) => Fragment> = {
  rotate: (sql, account, id) => sql`keyturn.rotate_credential(
    ${callerOf(sql, account)}, ${boundsOf(sql)}, ${account.id}, ${id}, null, '0', ${newOf(sql)}, null)`,
  "delete of a credential": (sql, account, id) =>
    sql`keyturn.delete_credential(${callerOf(sql, account)}, ${account.id}, ${id}, null)`,
  "revocation of an account": (sql, account) =>
    sql`keyturn.revoke_service_account_credentials(${callerOf(sql, account)}, ${account.id})`,
  "revocation of an organization": (sql, account) =>
    sql`keyturn.revoke_organization_credentials(${callerOf(sql, account)}, ${[account.id]})`,
  "create of an account": (sql, account) =>
    sql`keyturn.create_service_account(
      ${callerOf(sql, account)}, 'sa-new', 'New', null, 'organization', 'here', ${["reader"]})`,
  "update of an account": (sql, account) =>
    sql`keyturn.update_service_account(${callerOf(sql, account)}, ${account.id}, null, ${sql.json({ roles: ["reader"] })})`,
  "delete of an account": (sql, account) =>
    sql`keyturn.delete_service_account(${callerOf(sql, account)}, ${account.id}, null)`,
  "change of the policy": (sql, account) =>
    sql`keyturn.update_credential_policy(
      ${callerOf(sql, account)}, ${boundsOf(sql)}, null, ${sql.json({ min_lifetime_seconds: 3600 })})`,
};
for (const [name, call] of Object.entries(mutations)) {
  test(`names on the caller's search path redirect no ${name}`, async () => {
    const account = await givenAccount(db.sql);
    const credentialId = await givenCredential(db.sql, account, {
      id: freshCredentialId(),
      usedSecondsAgo: 1,
    });
    assert.equal((await outcomeOf(server, call(server, account, credentialId))).outcome, "done");
    await assertShadowsAreEmpty();
  });
}

test("names on the caller's search path redirect no record of a refusal and no sweep", async () => {
  const account = await givenAccount(db.sql);
  await givenCredential(db.sql, account, { ageSeconds: 8000, deletedSecondsAgo: 7200 });
  const caller = { organization_id: account.organizationId, issuer: "i", subject: "s", request_id: "r" };
  const refusals = [{ caller, action: "credential.create", outcome: "permission_denied" }];
  await server`select keyturn.record_refusals(${server.json(refusals)})`;
  const [row] = await server<{ swept: number }[]>`select keyturn.sweep('1 hour', 10) as swept`;
  assert.equal(row?.swept, 1);
  await assertShadowsAreEmpty();
});

test("names on the caller's search path redirect no repetition, no judgement of roles and no event", async () => {
  const account = await givenAccount(db.sql);
  await server`select keyturn.want_events('7 d')`;
  const claim = { requestHash: randomBytes(32), bodyHash: randomBytes(32), sealedSecret: randomBytes(64) };
  const create = () => callCreate(server, account, { claim, grantableRoles: ["reader", "writer"] });
  assert.deepEqual([(await create()).outcome, (await create()).outcome], ["done", "replayed"]);
  await db.sql`update keyturn.service_accounts set roles = '{reader,admin}' where id = ${account.id}`;
  const refused = await callCreate(server, account, { grantableRoles: ["reader"] });
  assert.deepEqual([refused.outcome, refused.facts["roles"]], ["role_not_grantable", ["admin"]]);
  await givenCredential(db.sql, account, { ageSeconds: 30 * 86_400, remainingSeconds: 85_000 });
  await server`select keyturn.tell_expiring_credentials(10)`;
  await db.sql`update keyturn.expiry_notices set told_expires_at = told_expires_at - interval '1 h'`;
  await server`select keyturn.tell_expiring_credentials(10)`;
  const told = await server<{ type: string }[]>`
    select type from keyturn.events where organization_id = ${account.organizationId} order by sequence`;
  assert.deepEqual(
    told.map(({ type }) => type),
    ["credential.created", "credential.expiring"],
  );
  const [claimed] = await server`select type from keyturn.claim_events(1, '1 min')`;
  assert.equal(claimed?.["type"], "credential.created");
  await assertShadowsAreEmpty();
});
