import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Administrator, assertRefused, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { credentialsOf, idsOf, walk } from "./walk.ts";

const HOUR_MS = 3_600_000;
const LIST = credentialsOf("sa-1");

interface Stored {
  readonly id: string;
  readonly createdAt: Date;
  readonly expiresAt: Date;
  readonly notBefore: Date | null;
  readonly lastUsedAt: Date | null;
  readonly deletedAt: Date | null;
}

let h: TestKeyturn;
let admin: Administrator;
/** In the order of their creation. All instants are whole hours away from now, so that none passes meanwhile. */
let stored: readonly Stored[];
let nowMs: number;
let revokedBefore: Date;
const hoursFromNow = (hours: number) => new Date(nowMs + hours * HOUR_MS);

before(async () => {
  h = await givenKeyturn();
  admin = await givenAdministrator(h);
  bodyOf(await admin.post("/service-accounts", { id: "sa-1", displayName: "Account" }), 201);
  const [row] = await h.db.sql<{ now: Date }[]>`select date_trunc('second', clock_timestamp()) as now`;
  nowMs = (row?.now.getTime() ?? 0) - HOUR_MS / 2;
  revokedBefore = hoursFromNow(-50);
  stored = Array.from({ length: 100 }, (_, i) => storedAt(i));
  for (const credential of stored) await insert(credential);
  await h.db.sql`
    update keyturn.service_accounts set credentials_revoked_before = ${revokedBefore}
     where organization_id = ${admin.organizationId} and id = 'sa-1'`;
});
after(() => h.stop());

/** One credential an hour. What else is said of it goes by periods that share no factor, so that all of it meets. */
function storedAt(i: number): Stored {
  const age = 100 - i;
  const at = (hours: number | undefined) => (hours === undefined ? null : hoursFromNow(hours));
  const expires = [20, -age + 3, 1, -age + 40, 300][i % 5] ?? 0;
  return {
    id: `cred-${(i * 37) % 100}-${i}`,
    createdAt: hoursFromNow(-age),
    expiresAt: hoursFromNow(expires),
    notBefore: at([undefined, 2, -age + 1][i % 3]) as Date | null,
    lastUsedAt: at([undefined, -age, undefined, -age + 2, Math.min(0, -age + 30), -1, undefined][i % 7]),
    deletedAt: at([-0.5][i % 11]),
  };
}

async function insert({ id, createdAt, expiresAt, notBefore, lastUsedAt, deletedAt }: Stored): Promise<void> {
  const { organizationId } = admin;
  await h.db.sql`
    insert into keyturn.credentials
      (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at, expires_at, not_before, deleted_at)
    values (${organizationId}, 'sa-1', ${id}, 'no-hash', 'hint', 'test', ${createdAt}, ${expiresAt}, ${notBefore}, ${deletedAt})`;
  if (lastUsedAt === null) return;
  await h.db.sql`
    insert into keyturn.credential_usage (organization_id, service_account_id, credential_id, last_used_at)
    values (${organizationId}, 'sa-1', ${id}, ${lastUsedAt})`;
}

function statusOf({ createdAt, expiresAt, notBefore }: Stored): string {
  if (createdAt < revokedBefore) return "revoked";
  if (expiresAt.getTime() <= Date.now()) return "expired";
  return notBefore !== null && notBefore.getTime() > Date.now() ? "pending" : "active";
}

interface Filter {
  readonly status: string | undefined;
  readonly expiringBefore: Date | undefined;
  readonly unusedSince: Date | undefined;
  readonly neverUsed: boolean | undefined;
}

const fits = (credential: Stored, { status, expiringBefore, unusedSince, neverUsed }: Filter): boolean =>
  credential.deletedAt === null &&
  (status === undefined || statusOf(credential) === status) &&
  (expiringBefore === undefined || credential.expiresAt < expiringBefore) &&
  (unusedSince === undefined ||
    (credential.createdAt <= unusedSince &&
      (credential.lastUsedAt === null || credential.lastUsedAt < unusedSince))) &&
  (neverUsed !== true || credential.lastUsedAt === null);

const STATUSES = [undefined, "active", "pending", "expired", "revoked"];

for (const status of STATUSES) {
  test(`credentials of status ${status ?? "any"} with every other filter are those that fit, on one page and on many`, async () => {
    let shown = 0;
    for (const expiringBefore of [undefined, -30, 1, 200]) {
      for (const unusedSince of [undefined, -70, -20, -1, 10]) {
        for (const neverUsed of [undefined, false, true]) {
          const filter: Filter = {
            status,
            neverUsed,
            expiringBefore: expiringBefore === undefined ? undefined : hoursFromNow(expiringBefore),
            unusedSince: unusedSince === undefined ? undefined : hoursFromNow(unusedSince),
          };
          const fitting = idsOf(stored.filter((credential) => fits(credential, filter)));
          await assertShown(filter, fitting);
          shown += fitting.length;
        }
      }
    }
    assert.ok(shown > 50, `only ${shown} were shown`);
  });
}

async function assertShown(filter: Filter, ids: readonly string[]): Promise<void> {
  const query = {
    ...filter,
    expiringBefore: filter.expiringBefore?.toISOString(),
    unusedSince: filter.unusedSince?.toISOString(),
  };
  const said = JSON.stringify(filter);
  const { credentials, total } = bodyOf(await admin.get(LIST.path, { ...query, offset: 0, pageSize: 500 }));
  assert.deepEqual(idsOf(credentials), ids, said);
  assert.equal(total, ids.length, said);
  assert.deepEqual(idsOf(await walk(admin, LIST, { ...query, pageSize: 23 })), ids, said);
}

test("every credential of the list is as it is read by itself", async () => {
  for (const credential of await walk(admin, LIST)) {
    const read = bodyOf(await admin.get(`${LIST.path}/${credential.id}`));
    assert.deepEqual(credential, read);
    const raw = stored.find(({ id }) => id === credential.id);
    assert.equal(credential.status, raw && statusOf(raw));
    assert.equal(Date.parse(credential.expiresAt), raw?.expiresAt.getTime());
  }
});

test("a filter that is no filter is refused by its name", async () => {
  const wrong = {
    status: ["ACTIVE", "", "disabled", "unspecified", "1"],
    expiringBefore: ["", "tomorrow", "2026-02-30T00:00:00Z", "2026-01-01", "1767225600"],
    unusedSince: ["x"],
    neverUsed: ["", "1", "yes", "True"],
  };
  const names = {
    status: "status",
    expiringBefore: "expiring_before",
    unusedSince: "unused_since",
    neverUsed: "never_used",
  };
  for (const [name, values] of Object.entries(wrong)) {
    for (const value of values) {
      const refusal = { reason: "INVALID_ARGUMENT", fields: [names[name as keyof typeof names]] };
      assertRefused(await admin.get(LIST.path, { [name]: value }), 400, refusal);
    }
  }
});
