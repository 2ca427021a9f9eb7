import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { exportSPKI } from "jose";
import { restCreate } from "../support/clients.ts";
import { type CallHeaders, DOORS } from "../support/doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { assertAlive, assertNothingStored } from "../support/stored.ts";
import { encodePart, goodClaims, makeSigningKey, type TokenParts } from "../support/token.ts";

let h: TestKeyturn;
let account: { readonly organizationId: string; readonly id: string };
before(async () => {
  h = await givenKeyturn();
  account = await h.givenAccount();
});
after(() => h.stop());

const signed = (parts: TokenParts) => async (): Promise<string> =>
  h.issuer.sign({
    ...parts,
    claims: { tenant_id: account.organizationId, roles: ["admin"], ...parts.claims },
  });

const unsigned = (header: object) =>
  `${encodePart(JSON.stringify(header))}.${encodePart(JSON.stringify(claims()))}`;

const claims = () => ({
  ...goodClaims(h.issuer.url, Date.now()),
  tenant_id: account.organizationId,
  roles: ["admin"],
});

/** Signed with the issuer's public key as if it were a shared secret, in the way that libraries fell for. */
async function hmacWithPublicKey(): Promise<string> {
  const key = h.issuer.key();
  const text = unsigned({ alg: "HS256", kid: key.id, typ: "at+jwt" });
  const mac = createHmac("sha256", await exportSPKI(key.publicKey)).update(text);
  return `${text}.${mac.digest("base64url")}`;
}

const seconds = () => Math.floor(Date.now() / 1000);

const DEFECTS: readonly (readonly [defect: string, token: () => Promise<string> | string])[] = [
  ["that is one word", () => "nonsense"],
  ["with a part missing", async () => (await signed({})()).split(".").slice(0, 2).join(".")],
  ["that has expired", signed({ claims: { exp: 1_000_000_000 } })],
  ["that is not valid yet", () => signed({ claims: { nbf: seconds() + 3600 } })()],
  ["of another issuer", signed({ claims: { iss: "https://issuer.example" } })],
  ["for another audience", signed({ claims: { aud: "somebody-else" } })],
  ["without a tenant", signed({ claims: { tenant_id: undefined } })],
  ["with the algorithm none", () => `${unsigned({ alg: "none", kid: h.issuer.key().id })}.`],
  ["signed with the public key as an HS256 secret", hmacWithPublicKey],
  ["without a key id", signed({ header: { kid: undefined } })],
  ["with an unknown key id", signed({ header: { kid: "unknown" } })],
  ["signed by a stranger", async () => signed({ key: await makeSigningKey("ES256", h.issuer.key().id) })()],
  ["of a type that is no access token", signed({ header: { typ: "logout+jwt" } })],
];

const SCHEMES: readonly (readonly [defect: string, authorization: (token: string) => string])[] = [
  ["another scheme", () => "Basic YTpi"],
  ["a scheme without a token", () => "Bearer"],
  ["two tokens", (token) => `Bearer ${token}, Bearer ${token}`],
];

async function assertUnauthenticated(call: CallHeaders, challenge: string): Promise<void> {
  for (const door of DOORS) {
    const answer = await door.create(h, { serviceAccountId: account.id }, call);
    assert.equal(answer.code, Code.Unauthenticated, door.name);
    assert.deepEqual(answer.details, [
      { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "UNAUTHENTICATED", domain: "keyturn" },
    ]);
    if (door.name === "REST") assert.equal(answer.httpStatus, 401);
    if (door.name !== "gRPC") assert.equal(answer.header("www-authenticate"), challenge, door.name);
  }
  await assertNothingStored(h, account.id);
  await assertAlive(h);
}

test("a call without a token is refused at every door, and nothing is stored", () =>
  assertUnauthenticated({}, 'Bearer realm="keyturn"'));

for (const [defect, token] of DEFECTS) {
  test(`a token ${defect} is refused at every door, and nothing is stored`, async () =>
    assertUnauthenticated({ token: await token() }, 'Bearer realm="keyturn", error="invalid_token"'));
}

for (const [defect, authorization] of SCHEMES) {
  test(`an Authorization header with ${defect} is refused at every door, and nothing is stored`, async () => {
    const headers = { authorization: authorization(await signed({})()) };
    await assertUnauthenticated({ headers }, 'Bearer realm="keyturn", error="invalid_token"');
  });
}

test("a token in the query or in the body is no token", async () => {
  const token = await signed({})();
  const path = `/v1/regions/global/iam/service-accounts/${account.id}/credentials?access_token=${token}`;
  const inQuery = await fetch(h.httpUrl + path, { method: "POST" });
  assert.equal(inQuery.status, 401);
  assert.equal((await restCreate(h, account.id, undefined, { access_token: token })).status, 401);
  await assertNothingStored(h, account.id);
});

test("every token that does not hold gets the same 401, byte for byte", async () => {
  const tokens = [undefined, ...(await Promise.all(DEFECTS.map(([, token]) => token())))];
  const bodies = await Promise.all(
    tokens.map(async (token) => (await restCreate(h, account.id, token)).text),
  );
  assert.deepEqual([...new Set(bodies)], [bodies[0]]);
});

test("the log says which check refused the token, and the answer does not", async () => {
  const res = await restCreate(h, account.id, await signed({ claims: { aud: "somebody-else" } })());
  const line = h
    .log()
    .split("\n")
    .find((entry) => entry.includes(res.headers.get("x-request-id") ?? "none"));
  assert.equal(JSON.parse(line ?? "{}").inner, "audience");
  assert.doesNotMatch(res.text, /audience/);
});
