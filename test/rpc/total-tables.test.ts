import assert from "node:assert/strict";
import { test } from "node:test";
import { ACCESS, type Access, accessOf, mayCall } from "../../src/rpc/access.ts";
import type { Handlers } from "../../src/rpc/kernel.ts";
import { type RpcName, SERVICES, type ServiceName } from "../../src/rpc/services.ts";

/** A service as the generated code would have it after somebody added an RPC to the proto. */
type Grown = (typeof SERVICES)["CredentialService"]["method"] & {
  readonly deleteCredential: (typeof SERVICES)["CredentialService"]["method"]["createCredential"];
};

type AccessOfGrown = Record<keyof Grown, Access>;

test("an RPC without an access row does not compile", () => {
  // @ts-expect-error the row of deleteCredential is missing
  const grown = { createCredential: "tenant_administrator" } satisfies AccessOfGrown;
  // @ts-expect-error the service has no row at all
  const empty = {} satisfies { [S in ServiceName]: Record<RpcName<S>, Access> };
  const misspelt = {
    // @ts-expect-error there is no such access
    createCredential: "anybody",
  } satisfies Record<RpcName<"CredentialService">, Access>;
  assert.ok(grown && empty && misspelt);
});

test("an RPC without a handler, and a handler without an RPC, do not compile", () => {
  // @ts-expect-error createCredential is missing
  const none: Handlers<"CredentialService"> = {};
  const more: Handlers<"CredentialService"> = {
    createCredential: async () => ({}),
    // @ts-expect-error there is no such RPC
    forgetCredential: async () => ({}),
  };
  const wrong: Handlers<"CredentialService"> = {
    // @ts-expect-error the answer has no such field
    createCredential: async () => ({ secret: "" }),
  };
  assert.ok(none && more && wrong);
});

test("every RPC of every service has an access row, and there is no other row", () => {
  for (const [name, service] of Object.entries(SERVICES)) {
    const rows = ACCESS[name as ServiceName];
    assert.deepEqual(Object.keys(rows).sort(), Object.keys(service.method).sort());
    for (const method of Object.values(service.method)) assert.ok(accessOf(method));
  }
  assert.deepEqual(Object.keys(ACCESS).sort(), Object.keys(SERVICES).sort());
});

test("only the configured roles, spelt exactly so, make an administrator", () => {
  const caller = { issuer: "i", subject: "s", organizationId: "o", expiresAtMs: 0 };
  const may = (...roles: string[]) =>
    mayCall("tenant_administrator", { ...caller, roles }, ["owner", "admin"]);
  assert.equal(may("admin"), true);
  assert.equal(may("member", "owner"), true);
  for (const roles of [[], [""], ["Admin"], ["admin "], ["administrator"], ["admin,owner"], ["*"]]) {
    assert.equal(may(...roles), false, roles.join());
  }
});
