import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ACCESS,
  type Access,
  type AccessRow,
  accessOf,
  mayCall,
  type RoleRules,
} from "../../src/rpc/access.ts";
import type { Handlers } from "../../src/rpc/kernel.ts";
import { type RpcName, SERVICES, type ServiceName } from "../../src/rpc/services.ts";

type Methods = (typeof SERVICES)["CredentialService"]["method"];
/** A service as the generated code would have it after somebody added an RPC to the proto. */
type Grown = Methods & { readonly forgetCredential: Methods["createCredential"] };

type AccessOfGrown = Record<keyof Grown, AccessRow>;

const row = { may: "tenant_administrator", action: "credential.forget", changes: true } as const;

test("an RPC without an access row does not compile", () => {
  const whole = { ...ACCESS.CredentialService, forgetCredential: row } satisfies AccessOfGrown;
  // @ts-expect-error the row of forgetCredential is missing
  const grown = ACCESS.CredentialService satisfies AccessOfGrown;
  // @ts-expect-error the services have no rows at all
  const empty = {} satisfies { [S in ServiceName]: Record<RpcName<S>, AccessRow> };
  assert.ok(whole && grown && empty);
});

test("an access row that says too little, or what there is not, does not compile", () => {
  const right: AccessRow = row;
  // @ts-expect-error there is no such access
  const misspelt: AccessRow = { ...row, may: "anybody" };
  // @ts-expect-error how the trail names it is missing
  const nameless: AccessRow = { may: row.may, changes: true };
  // @ts-expect-error whether it changes something is missing
  const silent: AccessRow = { may: row.may, action: row.action };
  // @ts-expect-error there is no such resource
  const hidden: AccessRow = { ...row, unseen: "Secret" };
  assert.ok(right && misspelt && nameless && silent && hidden);
});

test("an RPC without a handler, and a handler without an RPC, do not compile", () => {
  const whole = {} as Handlers<"CredentialService">;
  const { createCredential, ...others } = whole;
  const right: Handlers<"CredentialService"> = { ...others, createCredential: async () => ({}) };
  // @ts-expect-error createCredential is missing
  const fewer: Handlers<"CredentialService"> = others;
  const more: Handlers<"CredentialService"> = {
    ...whole,
    // @ts-expect-error there is no such RPC
    forgetCredential: async () => ({}),
  };
  const wrong: Handlers<"CredentialService"> = {
    ...whole,
    // @ts-expect-error the answer has no such field
    createCredential: async () => ({ secret: "" }),
  };
  assert.ok(createCredential === undefined && right && fewer && more && wrong);
});

/** Whom an RPC is for, if not for administrators alone. */
const MAY: Readonly<Record<string, Access>> = {
  verifyCredential: "verifier",
  reportLeakedCredential: "public",
  mintToken: "public",
  introspectToken: "verifier_or_administrator",
  revokeToken: "verifier_or_administrator",
};

test("every RPC of every service has an access row, and there is no other row", () => {
  for (const [name, service] of Object.entries(SERVICES)) {
    const rows = ACCESS[name as ServiceName];
    assert.deepEqual(Object.keys(rows).sort(), Object.keys(service.method).sort());
    for (const method of Object.values(service.method)) {
      const { may, action, changes } = accessOf(method);
      assert.equal(may, MAY[method.localName] ?? "tenant_administrator", method.name);
      assert.match(action, /^[a-z_]+\.[a-z_]+$/);
      assert.equal(changes, !/^(get|list|verify|mint|introspect)/.test(method.localName), method.name);
    }
  }
  assert.deepEqual(Object.keys(ACCESS).sort(), Object.keys(SERVICES).sort());
});

const RULES: RoleRules = {
  administratorRoles: ["owner", "admin"],
  organizationAdministratorRoles: ["chief"],
  verifierRoles: ["verifier"],
  platformVerifierRoles: ["platform-verifier"],
};

const may = (access: Exclude<Access, "public">, ...roles: string[]): boolean =>
  mayCall(access, { issuer: "i", subject: "s", organizationId: "o", expiresAtMs: 0, roles }, RULES);

const RIGHTS = [
  { access: "tenant_administrator", roles: ["owner", "admin"] },
  { access: "verifier", roles: ["verifier", "platform-verifier"] },
  { access: "verifier_or_administrator", roles: ["owner", "admin", "verifier", "platform-verifier"] },
] as const;
for (const { access, roles } of RIGHTS) {
  test(`only ${roles.join(", ")}, spelt exactly so, may call what is for ${access}`, () => {
    const all = Object.values(RULES).flat();
    assert.deepEqual(
      all.filter((role) => may(access, role)),
      roles,
    );
    for (const role of roles) {
      assert.equal(may(access, "member", role), true);
      for (const near of [role.toUpperCase(), `${role} `, ` ${role}`, `${role}s`, `${role},${role}`]) {
        assert.equal(may(access, near), false, near);
      }
    }
    assert.deepEqual([may(access), may(access, "")], [false, false]);
    assert.equal(may(access, "*"), false);
  });
}
