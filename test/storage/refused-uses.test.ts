import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { CallContext } from "../../src/domain/call-context.ts";
import type { PageRequest, PageStart } from "../../src/domain/page.ts";
import type { RefusedUseReason } from "../../src/domain/principal.ts";
import type { Database } from "../../src/storage/database.ts";
import { listRefusedUses } from "../../src/storage/refused-use-list.ts";
import { startUsageRecorder, type UsageRecorder } from "../../src/storage/usage-recorder.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { givenPool } from "../support/given-pool.ts";
import type { Account } from "./create-call.ts";
import { at, principalOf } from "./given-usage.ts";
import { givenCredential } from "./stored-credential.ts";

let db: TestDatabase;
/** With the login of a server. */
let pool: Database;
let recorder: UsageRecorder;
before(async () => {
  db = await givenDatabase();
  pool = givenPool(db.serverUrl);
  recorder = startUsageRecorder(pool, { intervalMs: 1_000_000, onError: () => {} });
});
after(async () => {
  recorder.stop();
  await pool.close(1_000);
  await db.drop();
});

const contextOf = (organizationId: string): CallContext => ({
  caller: { organizationId, issuer: "issuer", subject: "subject", roles: [], expiresAtMs: 0 },
  grantableRoles: "all",
  reach: "organization",
  requestId: "request-1",
  clientAddress: undefined,
  budgetMs: () => 10_000,
  signal: new AbortController().signal,
});

const list = (account: Account, start: PageStart = { kind: "start" }, size = 50) =>
  listRefusedUses(pool, contextOf(account.organizationId), account.id, { size, start } satisfies PageRequest);

async function refuse(account: Account, id: string, reason: RefusedUseReason, times = 1): Promise<void> {
  const presented = { address: "192.0.2.9", userAgent: "pod/1" };
  for (let time = 0; time < times; time += 1) {
    recorder.refused(principalOf(account, id, at(time + 1)), presented, reason);
  }
  await recorder.flush();
}

/** An account with so many credentials, cred-0, cred-1, …, whose uses were refused. */
async function givenRefused(count: number): Promise<Account> {
  const account = await givenAccount(db.sql);
  for (let number = 0; number < count; number += 1) {
    const id = await givenCredential(db.sql, account, { id: `cred-${account.id}-${number}` });
    await refuse(account, id, "expired");
  }
  return account;
}

const idsOf = (page: Awaited<ReturnType<typeof list>>) => page.items.map(({ credentialId }) => credentialId);

test("refused uses are told with reason, place, time and count, those of deleted credentials too", async () => {
  const account = await givenAccount(db.sql);
  const [deleted, bare, used] = [
    await givenCredential(db.sql, account, { id: "cred-a", deletedSecondsAgo: 10 }),
    await givenCredential(db.sql, account, { id: "cred-b" }),
    await givenCredential(db.sql, account, { id: "cred-c", usedSecondsAgo: 10 }),
  ];
  await db.sql`update keyturn.credentials set display_name = 'Old pod' where id = ${deleted}`;
  await refuse(account, deleted, "deleted", 3);
  recorder.refused(
    principalOf(account, bare, at(7)),
    { address: undefined, userAgent: undefined },
    "pending",
  );
  await recorder.flush();
  const { items, next, total } = await list(account);
  assert.deepEqual(items, [
    {
      credentialId: deleted,
      hint: "hint",
      displayName: "Old pod",
      lastRefusedAt: at(3),
      reason: "deleted",
      ip: "192.0.2.9",
      userAgent: "pod/1",
      count: 3,
    },
    {
      credentialId: bare,
      hint: "hint",
      displayName: undefined,
      lastRefusedAt: at(7),
      reason: "pending",
      ip: undefined,
      userAgent: undefined,
      count: 1,
    },
  ]);
  assert.deepEqual([next, total], [undefined, undefined]);
  assert.ok(!items.some(({ credentialId }) => credentialId === used));
});

test("an account without refused uses has an empty list, and one that is not there, or another's, none", async () => {
  const account = await givenRefused(1);
  const quiet = await givenAccount(db.sql, account.organizationId);
  assert.deepEqual(await list(quiet), { items: [], next: undefined, total: undefined });
  assert.deepEqual(await list(quiet, { kind: "offset", offset: 0 }), {
    items: [],
    next: undefined,
    total: 0,
  });
  const stranger = await givenAccount(db.sql);
  for (const nobody of [
    { ...account, id: "sa-nobody" },
    { ...account, organizationId: stranger.organizationId },
  ]) {
    await assert.rejects(list(nobody), { message: "not_found" });
  }
});

test("pages with a cursor show each refused use once, in order", async () => {
  const account = await givenRefused(5);
  const all = idsOf(await list(account));
  const seen: string[] = [];
  let start: PageStart = { kind: "start" };
  for (let pages = 1; ; pages += 1) {
    const page = await list(account, start, 2);
    seen.push(...idsOf(page));
    if (page.next === undefined) {
      assert.equal(pages, 3);
      break;
    }
    start = { kind: "after", position: page.next };
  }
  assert.deepEqual([seen, all.length], [all, 5]);
  assert.deepEqual(all, all.toSorted());
});

test("pages with an offset tell how many there are in all", async () => {
  const account = await givenRefused(5);
  const all = idsOf(await list(account));
  for (const offset of [0, 3, 4, 5, 99]) {
    const page = await list(account, { kind: "offset", offset }, 2);
    assert.deepEqual([idsOf(page), page.total, page.next], [all.slice(offset, offset + 2), 5, undefined]);
  }
});

test("a position in the list of an earlier account of the same name is refused", async () => {
  const account = await givenRefused(3);
  const { next } = await list(account, { kind: "start" }, 1);
  await db.sql`delete from keyturn.service_accounts where organization_id = ${account.organizationId}`;
  await db.sql`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    values (${account.organizationId}, ${account.id}, 'Again', 'here', 'test')`;
  const start = { kind: "after", position: next ?? [] } as const;
  await assert.rejects(list(account, start), { message: "invalid_argument" });
  assert.deepEqual(idsOf(await list(account)), []);
});
