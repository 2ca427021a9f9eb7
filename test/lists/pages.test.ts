import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { DescMethodUnary } from "@bufbuild/protobuf";
import { AuditService } from "../../gen/keyturn/v1/audit_service_pb.ts";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { givenCredential } from "../storage/stored-credential.ts";
import { type Administrator, assertRefused, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { rpcCallersOf } from "../support/rpc-callers.ts";
import { AUDIT_EVENTS, credentialsOf, type PagedList, pagesOf, SERVICE_ACCOUNTS } from "./walk.ts";

const ITEMS = 6;
const ACCOUNT = "sa-0";

let h: TestKeyturn;
let admin: Administrator;
/** Of every list there are six items. */
before(async () => {
  h = await givenKeyturn();
  admin = await givenAdministrator(h);
  const account = { organizationId: admin.organizationId, id: ACCOUNT };
  for (let i = 0; i < ITEMS; i += 1) {
    bodyOf(await admin.post("/service-accounts", { id: `sa-${i}`, displayName: "Account" }), 201);
    await givenCredential(h.db.sql, account, { ageSeconds: 1000 - i });
  }
});
after(() => h.stop());

interface ListUnderTest extends PagedList {
  readonly method: DescMethodUnary;
  readonly parent: object;
}

const LISTS: readonly ListUnderTest[] = [
  {
    ...credentialsOf(ACCOUNT),
    method: CredentialService.method.listCredentials,
    parent: { serviceAccountId: ACCOUNT },
  },
  { ...SERVICE_ACCOUNTS, method: ServiceAccountService.method.listServiceAccounts, parent: {} },
  { ...AUDIT_EVENTS, method: AuditService.method.listAuditEvents, parent: {} },
];

test("a page has 1 to 500 items, and 50 when nobody says", async () => {
  const account = await h.givenAccount(admin.organizationId);
  await h.db.sql`
    insert into keyturn.credentials
      (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at, expires_at)
    select ${account.organizationId}, ${account.id}, 'cred-' || i, 'no-hash', 'hint', 'test', clock_timestamp(),
           clock_timestamp() + interval '1 day' from generate_series(1, 501) i`;
  const list = credentialsOf(account.id);
  for (const pageSize of [1, 2, 499, 500, undefined]) {
    const page = bodyOf(await admin.get(list.path, { pageSize }));
    assert.equal(page.credentials.length, pageSize ?? 50);
    assert.ok(page.nextPageToken);
  }
  await h.db.sql`delete from keyturn.service_accounts where id = ${account.id}`;
});

for (const list of LISTS) {
  describe(list.key, () => {
    test("a page of less than one or more than 500 items is refused", async () => {
      for (const pageSize of [0, 501, -1, 2_147_483_647]) {
        const refusal = { reason: "INVALID_ARGUMENT", fields: ["page_size"] };
        assertRefused(await admin.get(list.path, { pageSize }), 400, refusal);
      }
    });

    test("the last page has no token, also when it is full", async () => {
      for (const [pageSize, pages] of [
        [2, [2, 2, 2]],
        [4, [4, 2]],
        [ITEMS, [ITEMS]],
      ] as const) {
        const sizes: number[] = [];
        for await (const page of pagesOf(admin, list, { pageSize })) sizes.push(page.length);
        assert.deepEqual(sizes, pages);
      }
    });

    test("with an offset there is a total and no token", async () => {
      const all = bodyOf(await admin.get(list.path))[list.key];
      for (const offset of [0, 1, 4, ITEMS, 1000]) {
        const page = bodyOf(await admin.get(list.path, { offset, pageSize: 2 }));
        assert.equal(page.total, ITEMS);
        assert.equal(page.nextPageToken, undefined);
        assert.deepEqual(page[list.key], all.slice(offset, offset + 2));
      }
      assert.equal(bodyOf(await admin.get(list.path)).total, undefined);
    });

    test("an offset below zero, or beside a token, is refused by its name", async () => {
      const { nextPageToken: pageToken } = bodyOf(await admin.get(list.path, { pageSize: 1 }));
      const refusal = { reason: "INVALID_ARGUMENT", fields: ["offset"] };
      assertRefused(await admin.get(list.path, { offset: -1 }), 400, refusal);
      for (const offset of [0, 1])
        assertRefused(await admin.get(list.path, { pageToken, offset }), 400, refusal);
    });

    test("every door shows the same pages", async (t) => {
      const first = bodyOf(await admin.get(list.path, { pageSize: 2 }));
      const second = bodyOf(await admin.get(list.path, { pageSize: 2, pageToken: first.nextPageToken }));
      for (const caller of rpcCallersOf(h)) {
        t.after(() => caller.close());
        const call = (req: object) => caller.call(list.method, { ...list.parent, ...req }, admin.headers);
        const page = await call({ pageSize: 2, pageToken: first.nextPageToken });
        assert.deepEqual(page.body[list.key], second[list.key], caller.door);
        const empty = await call({ pageSize: 2, offset: 1000 });
        assert.deepEqual(empty.body, { [list.key]: [], total: ITEMS }, caller.door);
        for (const wrong of [
          { pageSize: 0 },
          { pageSize: 501 },
          { pageToken: first.nextPageToken, offset: 0 },
        ]) {
          assert.equal((await call(wrong)).reason, "INVALID_ARGUMENT", caller.door);
        }
      }
    });
  });
}
