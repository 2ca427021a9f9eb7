import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, type TestContext, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createRemoteJWKSet, type JWTPayload, jwtVerify } from "jose";
import * as oauth from "oauth4webapi";
import * as client from "openid-client";
import { givenIssued, type IssuedCredential } from "../support/issued-credential.ts";
import { AUDIENCE, givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { mintedToken } from "../support/token-endpoint.ts";

let h: TestKeyturn;
let issued: IssuedCredential;
before(async () => {
  h = await givenKeyturn();
  issued = await givenIssued(h, { roles: ["reader"], project: "atlas" });
});
after(() => h.stop());

/** The server is on loopback and has no TLS. */
const INSECURE = { [oauth.allowInsecureRequests]: true };

function assertOurs(claims: JWTPayload): void {
  assert.deepEqual(
    [claims.iss, claims.aud, claims.sub, claims["client_id"], claims["roles"], claims["scope_id"]],
    [h.httpUrl, AUDIENCE, issued.clientId, issued.clientId, ["reader"], "atlas"],
  );
}

/** With the keys that the metadata names. */
async function assertVerified(token: string, jwksUri: string | undefined): Promise<void> {
  const keys = createRemoteJWKSet(new URL(jwksUri ?? ""));
  const { payload } = await jwtVerify(token, keys, {
    issuer: h.httpUrl,
    audience: AUDIENCE,
    typ: "at+jwt",
    algorithms: ["ES256"],
    requiredClaims: ["exp", "iat", "jti", "sub"],
  });
  assertOurs(payload);
}

/** What introspection and revocation want: a verifier's bearer token in the place of the client's own secret. */
async function asVerifier() {
  const token = await h.token(issued.organizationId, { roles: ["verifier"] });
  return (_as: unknown, _client: unknown, _body: unknown, headers: Headers) =>
    headers.set("authorization", `Bearer ${token}`);
}

for (const algorithm of ["oidc", "oauth2"] as const) {
  for (const [way, authentication] of [
    ["client_secret_basic", client.ClientSecretBasic],
    ["client_secret_post", client.ClientSecretPost],
  ] as const) {
    test(`openid-client discovers the service (${algorithm}) and gets a token by ${way}, which jose verifies`, async () => {
      const execute = [client.allowInsecureRequests];
      const options = { algorithm, execute };
      const config = await client.discovery(
        new URL(h.httpUrl),
        issued.clientId,
        {},
        authentication(issued.secret),
        options,
      );
      const granted = await client.clientCredentialsGrant(config);
      assert.equal(granted.expires_in, 900);
      assert.equal(granted.refresh_token, undefined);
      await assertVerified(granted.access_token, config.serverMetadata().jwks_uri);
    });
  }

  for (const [way, authentication] of [
    ["client_secret_basic", oauth.ClientSecretBasic],
    ["client_secret_post", oauth.ClientSecretPost],
  ] as const) {
    test(`oauth4webapi discovers the service (${algorithm}), gets a token by ${way} and validates it as RFC 9068 says`, async () => {
      const as = await discovered(algorithm);
      const me = { client_id: issued.clientId };
      const answer = await oauth.clientCredentialsGrantRequest(
        as,
        me,
        authentication(issued.secret),
        {},
        INSECURE,
      );
      const { access_token, expires_in } = await oauth.processClientCredentialsResponse(as, me, answer);
      assert.equal(expires_in, 900);
      await assertVerified(access_token, as.jwks_uri);
      const request = new Request("http://api.example", {
        headers: { authorization: `Bearer ${access_token}` },
      });
      assertOurs(await oauth.validateJwtAccessToken(as, request, AUDIENCE, INSECURE));
    });
  }
}

async function discovered(algorithm: "oidc" | "oauth2" = "oauth2"): Promise<oauth.AuthorizationServer> {
  const issuer = new URL(h.httpUrl);
  const answer = await oauth.discoveryRequest(issuer, { algorithm, ...INSECURE });
  return oauth.processDiscoveryResponse(issuer, answer);
}

test("openid-client reads the challenge after a wrong secret, and the error of a role that the account has not", async () => {
  const execute = [client.allowInsecureRequests];
  const url = new URL(h.httpUrl);
  const wrong = await client.discovery(url, issued.clientId, "wrong", undefined, { execute });
  await assert.rejects(client.clientCredentialsGrant(wrong), {
    code: "OAUTH_WWW_AUTHENTICATE_CHALLENGE",
    status: 401,
  });
  const right = await client.discovery(url, issued.clientId, issued.secret, undefined, { execute });
  for (const name of ["scope", "scope_narrowing"]) {
    await assert.rejects(client.clientCredentialsGrant(right, { [name]: "owner" }), {
      error: "invalid_scope",
      status: 400,
    });
  }
});

test("oauth4webapi introspects a token, revokes it and finds it inactive", async () => {
  const as = await discovered();
  const me = { client_id: issued.clientId };
  const verifier = await asVerifier();
  const token = await mintedToken(h, issued);
  const introspected = async () =>
    oauth.processIntrospectionResponse(
      as,
      me,
      await oauth.introspectionRequest(as, me, verifier, token, INSECURE),
    );
  const before = await introspected();
  assert.equal(before.active, true);
  assert.equal(before.sub, issued.clientId);
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, me, verifier, token, INSECURE));
  assert.deepEqual(await introspected(), { active: false });
});

test("openid-client introspects a token, revokes it and finds it inactive", async () => {
  const options = { execute: [client.allowInsecureRequests] };
  const config = await client.discovery(new URL(h.httpUrl), issued.clientId, {}, await asVerifier(), options);
  const token = await mintedToken(h, issued);
  assert.equal((await client.tokenIntrospection(config, token)).active, true);
  await client.tokenRevocation(config, token);
  assert.deepEqual(await client.tokenIntrospection(config, token), { active: false });
});

const folder = fileURLToPath(new URL("foreign-clients", import.meta.url));

for (const [language, program, args, version] of [
  ["Python", "python3", ["client.py"], "--version"],
  ["Go", "go", ["run", "client.go"], "version"],
] as const) {
  test(`a client in ${language} discovers the service, gets a token and verifies it with the published keys`, async (t) => {
    if ((await run(program, [version])) === undefined) return t.skip(`${program} is not on this machine`);
    const claims = await run(program, args, t);
    assertOurs(JSON.parse(claims ?? ""));
  });
}

/** What a program prints; undefined when there is none of that name. Go asks no network for anything. */
function run(program: string, args: readonly string[], t?: TestContext): Promise<string | undefined> {
  const env = {
    ...process.env,
    GOPROXY: "off",
    GOTOOLCHAIN: "local",
    ISSUER: h.httpUrl,
    CLIENT_ID: issued.clientId,
    CLIENT_SECRET: issued.secret,
    AUDIENCE,
  };
  return new Promise((resolve, reject) => {
    const options = { cwd: folder, env, timeout: 170_000, ...(t === undefined ? {} : { signal: t.signal }) };
    execFile(program, args, options, (err, out, said) => {
      if (err === null) resolve(out);
      else if (t === undefined) resolve(undefined);
      else reject(new Error(said || err.message));
    });
  });
}
