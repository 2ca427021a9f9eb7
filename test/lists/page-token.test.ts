import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { givenCredential } from "../storage/stored-credential.ts";
import {
  type Administrator,
  assertRefused,
  bodyOf,
  givenAdministrator,
  type Query,
} from "../support/administrator.ts";
import { givenKeyturn, ROOT_KEY, type TestKeyturn, type TestKeyturnOptions } from "../support/keyturn.ts";
import { rpcCallersOf } from "../support/rpc-callers.ts";
import { AUDIT_EVENTS, credentialsOf, type PagedList, SERVICE_ACCOUNTS } from "./walk.ts";

let h: TestKeyturn;
let admin: Administrator;
/** Two accounts with three credentials each, so that no list ends with its first item. */
before(async () => {
  h = await givenKeyturn();
  admin = await givenAdministrator(h);
  await givenAccounts(admin);
});
after(() => h.stop());

async function givenAccounts({ post, organizationId }: Administrator): Promise<void> {
  for (const id of ["sa-1", "sa-2"]) {
    bodyOf(await post("/service-accounts", { id, displayName: "Account" }), 201);
    for (let i = 0; i < 3; i += 1) await givenCredential(h.db.sql, { organizationId, id });
  }
}

const CREDENTIALS = credentialsOf("sa-1");
const SINCE = "2020-01-01T00:00:00Z";
const LATER = "2030-01-01T00:00:00Z";

/** The token of the second page of a list. */
async function tokenOf(list: PagedList, query: Query = {}, of: Administrator = admin): Promise<string> {
  const { nextPageToken } = bodyOf(await of.get(list.path, { ...query, pageSize: 1 }));
  assert.ok(nextPageToken, "there is no second page");
  return nextPageToken;
}

async function assertNoToken(list: PagedList, query: Query, of: Administrator = admin): Promise<void> {
  const refusal = { reason: "INVALID_ARGUMENT", fields: ["page_token"] };
  assertRefused(await of.get(list.path, query), 400, refusal);
}

test("a token is good for its own request, as often as wanted and for pages of any size", async () => {
  for (const list of [CREDENTIALS, SERVICE_ACCOUNTS, AUDIT_EVENTS]) {
    const pageToken = await tokenOf(list);
    const pages = [];
    for (const pageSize of [1, 1, 500])
      pages.push(bodyOf(await admin.get(list.path, { pageToken, pageSize }))[list.key]);
    assert.deepEqual(pages[0], pages[1]);
    assert.deepEqual(pages[0], pages[2].slice(0, 1));
  }
});

test("a token that was made up, cut, lengthened or changed in one bit is refused at every list", async () => {
  for (const list of [CREDENTIALS, SERVICE_ACCOUNTS, AUDIT_EVENTS]) {
    const token = await tokenOf(list);
    const bytes = Buffer.from(token, "base64url");
    const flipped = [0, bytes.length >> 1, bytes.length - 1].map((at) => {
      const copy = Buffer.from(bytes);
      copy[at] = (copy[at] ?? 0) ^ 1;
      return copy.toString("base64url");
    });
    const wrong = [
      "x",
      "0",
      "AAAA".repeat(20),
      Buffer.from('["2026-01-01T00:00:00Z","cred-1"]').toString("base64url"),
      ...flipped,
      token.slice(0, -1),
      token.slice(1),
      `${token}A`,
      `${token}=`,
      ` ${token}`,
      token.toUpperCase(),
      `${token}.${token}`,
      "A".repeat(1024),
      "A".repeat(1025),
    ];
    for (const pageToken of wrong) await assertNoToken(list, { pageToken });
  }
});

test("every door refuses a token that was made up", async (t) => {
  for (const caller of rpcCallersOf(h)) {
    t.after(() => caller.close());
    const req = { serviceAccountId: "sa-1", pageToken: "AAAA".repeat(20) };
    const heard = await caller.call(CredentialService.method.listCredentials, req, admin.headers);
    assert.equal(heard.reason, "INVALID_ARGUMENT", caller.door);
  }
});

test("a token of another list, account or organization is refused", async () => {
  const stranger = await givenAdministrator(h);
  await givenAccounts(stranger);
  const lists = [CREDENTIALS, credentialsOf("sa-2"), SERVICE_ACCOUNTS, AUDIT_EVENTS];
  for (const list of lists) {
    const pageToken = await tokenOf(list);
    for (const other of lists.filter(({ path }) => path !== list.path))
      await assertNoToken(other, { pageToken });
    await assertNoToken(list, { pageToken }, stranger);
  }
});

const FILTERS: readonly [list: PagedList, own: Query, others: readonly Query[]][] = [
  [
    CREDENTIALS,
    {},
    [{ status: "active" }, { expiringBefore: LATER }, { unusedSince: LATER }, { neverUsed: true }],
  ],
  [CREDENTIALS, { status: "active" }, [{}, { status: "pending" }, { status: "active", neverUsed: true }]],
  [
    CREDENTIALS,
    { expiringBefore: LATER },
    [{}, { unusedSince: LATER }, { expiringBefore: "2031-01-01T00:00:00Z" }],
  ],
  [SERVICE_ACCOUNTS, {}, [{ status: "active" }, { scope: "organization" }, { scopeId: "x" }]],
  [SERVICE_ACCOUNTS, { status: "active" }, [{}, { status: "disabled" }]],
  [
    AUDIT_EVENTS,
    {},
    [{ orderBy: "occurred_at desc" }, { since: SINCE }, { until: LATER }, { serviceAccountId: "sa-1" }],
  ],
  [AUDIT_EVENTS, { orderBy: "occurred_at desc" }, [{}, { orderBy: "occurred_at" }]],
  [AUDIT_EVENTS, { since: SINCE }, [{}, { until: SINCE }, { since: "2020-01-01T00:00:00.001Z" }]],
];

for (const [{ path, key }, own, others] of FILTERS) {
  test(`a token of ${path} with ${JSON.stringify(own)} is refused with another filter or order`, async () => {
    const list = { path, key };
    const pageToken = await tokenOf(list, own);
    bodyOf(await admin.get(path, { ...own, pageToken }));
    for (const other of others) await assertNoToken(list, { ...other, pageToken });
  });
}

test("a token of an account that was deleted and created anew is refused", async () => {
  const own = await givenAdministrator(h);
  await givenAccounts(own);
  const pageToken = await tokenOf(CREDENTIALS, {}, own);
  bodyOf(await own.delete("/service-accounts/sa-1"), 204);
  assertRefused(await own.get(CREDENTIALS.path, { pageToken }), 404, { reason: "NOT_FOUND" });
  bodyOf(await own.post("/service-accounts", { id: "sa-1", displayName: "Anew" }), 201);
  await assertNoToken(CREDENTIALS, { pageToken }, own);
});

/** The same administrator at another server of the same database. */
async function atAnotherServer(
  env: TestKeyturnOptions["env"],
  t: { after(fn: () => unknown): void },
): Promise<Administrator> {
  const { db, issuer } = h;
  const other = await givenKeyturn({ db, issuer, env: env ?? {} });
  t.after(() => other.stop());
  return givenAdministrator(other, { organizationId: admin.organizationId });
}

const NEW_ROOT_KEY = Buffer.alloc(32, 8).toString("base64");

test("a token is good at every server of the same root key, and at those whose root key took that one's place", async (t) => {
  const twin = await atAnotherServer({}, t);
  const rotated = await atAnotherServer({ KEYTURN_ROOT_KEY: `${NEW_ROOT_KEY},${ROOT_KEY}` }, t);
  for (const list of [CREDENTIALS, SERVICE_ACCOUNTS, AUDIT_EVENTS]) {
    const pageToken = await tokenOf(list);
    const pages = await Promise.all(
      [admin, twin, rotated].map(async ({ get }) => bodyOf(await get(list.path, { pageToken }))[list.key]),
    );
    assert.ok(pages[0].length > 0);
    for (const page of pages) assert.deepEqual(page, pages[0]);
  }
});

test("a token is refused at servers that do not know its root key", async (t) => {
  const stranger = await atAnotherServer({ KEYTURN_ROOT_KEY: NEW_ROOT_KEY }, t);
  const rotated = await atAnotherServer({ KEYTURN_ROOT_KEY: `${NEW_ROOT_KEY},${ROOT_KEY}` }, t);
  for (const list of [CREDENTIALS, SERVICE_ACCOUNTS, AUDIT_EVENTS]) {
    await assertNoToken(list, { pageToken: await tokenOf(list) }, stranger);
    // What the current key has made, only the current key opens.
    await assertNoToken(list, { pageToken: await tokenOf(list, {}, rotated) });
  }
});
