import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from "jose";
import { createAccessTokens } from "../../src/auth/access-token.ts";
import { unavailable } from "../../src/domain/fault.ts";
import { clientIdOf, type Principal } from "../../src/domain/principal.ts";
import { manualClock } from "../support/manual-clock.ts";
import { DAY_MS, givenRing, memoryStore, sealingKeys } from "../support/signing-keys.ts";

const ISSUER = "https://keyturn.example/one";
const AUDIENCE = "things";
const MINUTE_MS = 60_000;

const principalAt = (nowMs: number, more: Partial<Principal> = {}): Principal => ({
  organizationId: "acme",
  serviceAccountId: "sa-build",
  serviceAccountUid: randomUUID(),
  credentialId: "cred-0123456789abcdefghjk",
  credentialUid: randomUUID(),
  scope: "project",
  scopeId: "rocket",
  roles: ["deployer", "reader"],
  expiresAt: new Date(nowMs + DAY_MS),
  checkedAt: new Date(nowMs),
  ...more,
});

async function givenTokens() {
  const clock = manualClock();
  const store = memoryStore(clock);
  const under = await givenRing(store, { clock });
  const deps = { ring: under.ring, issuer: () => ISSUER, audience: AUDIENCE, now: clock.now, randomUUID };
  const tokens = createAccessTokens(deps);
  const principal = (more?: Partial<Principal>) => principalAt(clock.now(), more);
  return { ...under, store, deps, tokens, principal };
}

test("a token has the header of RFC 9068, its claims and ours, and no others", async () => {
  const { tokens, ring, clock, principal } = await givenTokens();
  const who = principal();
  const { token, expiresInSeconds } = tokens.sign(who, 900);
  assert.equal(expiresInSeconds, 900);
  assert.deepEqual(decodeProtectedHeader(token), { alg: "ES256", typ: "at+jwt", kid: ring.current().kid });
  const { jti, ...claims } = decodeJwt(token);
  assert.match(jti ?? "", /^[0-9a-f-]{36}$/);
  assert.deepEqual(claims, {
    iss: ISSUER,
    sub: "sa-build@acme.iam",
    aud: AUDIENCE,
    client_id: clientIdOf(who),
    iat: clock.now() / 1000,
    exp: clock.now() / 1000 + 900,
    tenant_id: "acme",
    scope: "project",
    scope_id: "rocket",
    roles: ["deployer", "reader"],
    principal_type: "service_account",
    credential_id: "cred-0123456789abcdefghjk",
  });
});

test("jose verifies our tokens against the keys that we publish", async () => {
  const { tokens, ring, clock, principal } = await givenTokens();
  const { token } = tokens.sign(principal(), 900);
  const keys = createLocalJWKSet({ keys: ring.publicKeys().map((key) => ({ ...key })) });
  const { payload } = await jwtVerify(token, keys, {
    issuer: ISSUER,
    audience: AUDIENCE,
    typ: "at+jwt",
    algorithms: ["ES256"],
    requiredClaims: ["iss", "aud", "sub", "client_id", "iat", "exp", "jti"],
    currentDate: new Date(clock.now()),
  });
  assert.equal(payload.sub, "sa-build@acme.iam");
});

test("what we have signed we read, whoever of us signed it", async () => {
  const { tokens, store, deps, clock, principal } = await givenTokens();
  const { token } = tokens.sign(principal({ scope: "organization", scopeId: "acme", roles: [] }), 60);
  const other = await givenRing(store);
  for (const reader of [tokens, createAccessTokens({ ...deps, ring: other.ring })]) {
    const claims = await reader.read(token);
    assert.deepEqual(claims, decodeJwt(token));
    assert.deepEqual(
      [claims?.scope, claims?.roles, claims?.exp],
      ["organization", [], clock.now() / 1000 + 60],
    );
  }
});

test("every token has an id of its own", async () => {
  const { tokens, principal } = await givenTokens();
  const ids = Array.from({ length: 100 }, () => decodeJwt(tokens.sign(principal(), 900).token).jti);
  assert.equal(new Set(ids).size, 100);
});

test("a token begins when its principal was read and holds until the last moment of its lifetime", async () => {
  const { tokens, clock, principal } = await givenTokens();
  const checkedAt = new Date(clock.now() - MINUTE_MS + 999);
  const { token } = tokens.sign(principal({ checkedAt }), 62);
  assert.equal(decodeJwt(token).iat, clock.now() / 1000 - 60);
  clock.advance(1_999);
  assert.ok(await tokens.read(token));
  clock.advance(1);
  assert.equal(await tokens.read(token), undefined);
});

test("tokens of the old key are read until they expire, after the new one signs and as long as it is published", async () => {
  const { tokens, ring, clock, pass, store, principal } = await givenTokens();
  await pass(30 * DAY_MS);
  await pass(10 * MINUTE_MS - 1_000);
  const old = tokens.sign(principal(), 900).token;
  clock.advance(1_000);
  const fresh = tokens.sign(principal(), 900).token;
  const [oldKid, freshKid] = [old, fresh].map((token) => decodeProtectedHeader(token).kid);
  assert.notEqual(oldKid, freshKid);
  assert.equal(ring.current().kid, freshKid);
  await pass(14 * MINUTE_MS);
  assert.ok(await tokens.read(old));
  assert.ok(await tokens.read(fresh));
  store.keys = store.keys.filter(({ kid }) => kid !== oldKid);
  await pass(30_000);
  assert.equal(await tokens.read(old), undefined);
  assert.ok(await tokens.read(fresh));
  await pass(MINUTE_MS);
  assert.equal(await tokens.read(fresh), undefined);
});

test("a token whose key another server has just added is read at once", async () => {
  const { tokens, store, deps, clock, principal } = await givenTokens();
  clock.advance(1_000);
  const other = await givenRing(store, { keyAgeSecondsMax: 1 });
  const [, kid = ""] = other.ring.publicKeys().map((key) => key.kid);
  const key = await other.ring.find(kid);
  assert.ok(key);
  const urgent = createAccessTokens({ ...deps, ring: { ...other.ring, current: () => key } });
  assert.ok(await tokens.read(urgent.sign(principal(), 900).token));
});

test("tokens of another issuer, for another audience, and of a root key that is not ours are none of ours", async () => {
  const { tokens, deps, clock, principal } = await givenTokens();
  const foreign = await givenRing(memoryStore(clock), { sealingKeys: sealingKeys(2) });
  const strangers = [
    { ...deps, issuer: () => `${ISSUER}/` },
    { ...deps, audience: "other" },
    { ...deps, ring: foreign.ring },
  ];
  for (const stranger of strangers) {
    assert.equal(await tokens.read(createAccessTokens(stranger).sign(principal(), 900).token), undefined);
  }
});

test("without a key nothing is signed, and nobody is told that a token does not hold", async () => {
  const { tokens, deps, clock, principal } = await givenTokens();
  const away = memoryStore(clock);
  away.isAway = true;
  const { ring } = await givenRing(away, { clock });
  const without = createAccessTokens({ ...deps, ring });
  const refusal = unavailable("signing_key", 1_000);
  assert.throws(() => without.sign(principal(), 900), refusal);
  await assert.rejects(without.read(tokens.sign(principal(), 900).token), refusal);
  assert.equal(await without.read("geheim"), undefined);
});
