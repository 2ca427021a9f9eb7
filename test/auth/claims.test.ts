import assert from "node:assert/strict";
import { test } from "node:test";
import { unauthenticated } from "../../src/domain/fault.ts";
import { AUDIENCE } from "../support/token.ts";
import { givenVerifier } from "../support/token-verifier.ts";

type Claims = Record<string, unknown>;
const acceptedClaims: readonly [
  name: string,
  claims: (seconds: number) => Claims,
  roles: readonly string[],
][] = [
  ["a list with one audience", () => ({ aud: [AUDIENCE] }), ["owner"]],
  ["exp one second ahead", (now) => ({ exp: now + 1 }), ["owner"]],
  ["exp a fraction of a second ahead", (now) => ({ exp: now + 0.5 }), ["owner"]],
  ["nbf and iat within the skew", (now) => ({ nbf: now + 60, iat: now + 60 }), ["owner"]],
  ["no iat", () => ({ iat: undefined }), ["owner"]],
  ["the longest subject", () => ({ sub: "s".repeat(255) }), ["owner"]],
  ["the longest tenant", () => ({ tenant_id: "t".repeat(63) }), ["owner"]],
  ["a tenant with every kind of character", () => ({ tenant_id: "A9._-z" }), ["owner"]],
  ["no roles", () => ({ roles: undefined }), []],
  ["an empty list of roles", () => ({ roles: [] }), []],
  ["roles as words", () => ({ roles: "owner  viewer" }), ["owner", "viewer"]],
  ["roles as an empty string", () => ({ roles: "" }), []],
  ["a hundred roles", () => ({ roles: Array(100).fill("r") }), Array(100).fill("r")],
  [
    "members called __proto__",
    () => JSON.parse('{"__proto__":{"roles":["admin"]},"roles":["viewer"]}'),
    ["viewer"],
  ],
  ["roles under __proto__ only", () => JSON.parse('{"__proto__":{"roles":["admin"]},"roles":[]}'), []],
];

for (const [name, claims, roles] of acceptedClaims) {
  test(`accepts ${name}`, async (t) => {
    const { issuer, verifyToken, seconds } = await givenVerifier(t);
    const caller = await verifyToken(await issuer.sign({ claims: claims(seconds) }));
    assert.deepEqual(caller.roles, roles);
  });
}

const claimNames: readonly [rolesClaim: string, claims: Claims, roles: readonly string[] | "claims"][] = [
  ["https://keyturn.example/roles", { "https://keyturn.example/roles": ["owner"] }, ["owner"]],
  ["realm_access.roles", { realm_access: { roles: ["owner"] } }, ["owner"]],
  ["a.b.c", { a: { b: { c: "owner" } } }, ["owner"]],
  ["a.b", { "a.b": ["literal"], a: { b: ["nested"] } }, ["literal"]],
  ["a.b", { a: {} }, []],
  ["a.b", { a: "b" }, []],
  ["a.b", { a: ["b"] }, []],
  ["a.0", { a: ["owner"] }, []],
  ["a.length", { a: "owner" }, []],
  ["__proto__", {}, []],
  ["constructor.name", {}, []],
  ["__proto__.constructor.name", {}, []],
  ["a.__proto__.b", { a: {} }, []],
  ["a.b", { a: { b: { c: 1 } } }, "claims"],
];

for (const [rolesClaim, claims, roles] of claimNames) {
  test(`finds the roles claim ${rolesClaim} in ${JSON.stringify(claims)}`, async (t) => {
    const { issuer, verifyToken } = await givenVerifier(t, { rules: { rolesClaim } });
    const verified = verifyToken(await issuer.sign({ claims }));
    if (roles === "claims") await assert.rejects(verified, unauthenticated("claims"));
    else assert.deepEqual((await verified).roles, roles);
  });
}

test("finds a nested tenant claim, own members only", async (t) => {
  const { issuer, verifyToken } = await givenVerifier(t, { rules: { tenantClaim: "org.id" } });
  const caller = await verifyToken(await issuer.sign({ claims: { org: { id: "beta" } } }));
  assert.equal(caller.organizationId, "beta");
  await assert.rejects(verifyToken(await issuer.sign()), unauthenticated("claims"));
});

test("a list of several audiences is good when every one is ours", async (t) => {
  const { issuer, verifyToken } = await givenVerifier(t, { rules: { audiences: [AUDIENCE, "account"] } });
  const token = await issuer.sign({ claims: { aud: ["account", AUDIENCE] } });
  assert.equal((await verifyToken(token)).subject, "user-1");
});
