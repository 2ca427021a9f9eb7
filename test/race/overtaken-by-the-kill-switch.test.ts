/** A create that is held up somewhere, while its organization forbids creates and then revokes all that there is. */
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import postgres from "postgres";
import { type Administrator, bodyOf, givenAdministrator } from "../support/administrator.ts";
import type { RestAnswer } from "../support/clients.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

let db: TestDatabase;
let h: TestKeyturn;
before(async () => {
  db = await givenDatabase();
  // A slow machine must not turn a wait for a lock into a lock time-out.
  h = await givenKeyturn({ db, databaseUrl: `${db.serverUrl}?lock_timeout=60000` });
});
after(async () => {
  await h.stop();
  await db.drop();
});

interface Past {
  readonly name: string;
  /** Else there is nothing to rotate. */
  readonly hasCredential: boolean;
  readonly prepare: (admin: Administrator) => Promise<unknown>;
}

/** Where earlier switches have left the instants of an account, by a clock that may have been set back since. */
const PASTS: readonly Past[] = [
  { name: "", hasCredential: true, prepare: async () => {} },
  {
    name: " of an account that an earlier revocation has spared",
    hasCredential: true,
    prepare: (admin) => admin.post("/credentials:revokeAll", { exemptServiceAccountIds: ["sa-a"] }),
  },
  {
    name: " of an account that was revoked ahead of the clock",
    hasCredential: false,
    prepare: async (admin) => {
      await admin.post("/service-accounts/sa-a:revokeCredentials");
      await db.sql`
        update keyturn.service_accounts set credentials_revoked_before = credentials_revoked_before + interval '1 minute'
         where organization_id = ${admin.organizationId}`;
    },
  },
];

const CREDENTIALS = "/service-accounts/sa-a/credentials";

/** What is locked, and so where a create waits: before it counts, before it writes, and before it records. */
const WAITS = [
  "keyturn.credential_usage in access exclusive mode",
  "keyturn.replays in share mode",
  "keyturn.credentials in share mode",
  "keyturn.audit_events in share mode",
];

type Call = (admin: Administrator, id: string) => Promise<RestAnswer>;
const repeatable = () => ({ "idempotency-key": randomUUID() });
const CALLS: readonly (readonly [name: string, call: Call])[] = [
  ["create", (admin) => admin.post(CREDENTIALS, {}, repeatable())],
  ["rotate", (admin, id) => admin.post(`${CREDENTIALS}/${id}:rotate`, {}, repeatable())],
  [
    "rotate with a grace period",
    (admin, id) => admin.post(`${CREDENTIALS}/${id}:rotate`, { gracePeriod: "60s" }, repeatable()),
  ],
];

async function holdTable(lock: string) {
  const sql = postgres(db.superuserUrl, { max: 1, onnotice: () => {} });
  await sql.unsafe("begin");
  await sql.unsafe(`lock table ${lock}`);
  return async () => {
    await sql.unsafe("rollback");
    await sql.end({ timeout: 1 });
  };
}

const waiting = async () =>
  (
    await db.sql`
    select from pg_stat_activity
     where datname = current_database() and application_name = 'keyturn' and wait_event_type = 'Lock'`
  ).length;

const CASES = CALLS.flatMap(([name, call]) =>
  WAITS.flatMap((lock) => PASTS.map((past) => ({ name, call, lock, past }))),
).filter(({ name, past }) => past.hasCredential || name === "create");

for (const { name, call, lock, past } of CASES)
  test(`a ${name}${past.name} that waits for ${lock}, while creates are denied and then all are revoked, leaves nothing that holds`, async () => {
    const admin = await givenAdministrator(h);
    bodyOf(await admin.post("/service-accounts", { id: "sa-a", displayName: "Account" }), 201);
    await past.prepare(admin);
    const { id } = past.hasCredential ? bodyOf(await admin.post(CREDENTIALS), 201) : { id: "" };
    const release = await holdTable(lock);
    const held = call(admin, id);
    await eventually(async () => (await waiting()) === 1);
    // What these two wait for as well, where the trail is locked, is ordered behind the create.
    const denied = admin.patch("/credential-policy", { creation: "denied" });
    const isTrailFree = !lock.includes("audit_events");
    if (isTrailFree) bodyOf(await denied);
    const revoked = denied.then(() => admin.post("/credentials:revokeAll"));
    if (isTrailFree) bodyOf(await revoked);
    await release();
    const { status, body } = await held;
    // What was refused came too late, and nothing was issued.
    assert.ok([201, 400, 403, 409].includes(status), JSON.stringify(body));
    if (status === 201 && isTrailFree) assert.equal(body.status, "revoked");
    assert.deepEqual([(await denied).status, (await revoked).status], [200, 200]);
    assert.deepEqual(bodyOf(await admin.get(CREDENTIALS, { status: "active" })).credentials, []);
    assert.equal(bodyOf(await admin.get("/service-accounts/sa-a")).activeCredentialCount, 0);
  });
