import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { createRemoteJWKSet } from "jose";
import { remoteKeySet } from "../../src/auth/remote-key-set.ts";
import { rest } from "../support/clients.ts";
import { fromRest } from "../support/doors.ts";
import { eventually } from "../support/eventually.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { rawRequest } from "../support/raw-http.ts";

const KEY_SET = "/.well-known/jwks.json";
const METADATA = ["/.well-known/oauth-authorization-server", "/.well-known/openid-configuration"];

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
  await eventually(async () => (await rest(h, KEY_SET)).status === 200);
});
after(() => h.stop());

for (const path of METADATA) {
  test(`${path} says where everything is and what is supported`, async () => {
    const { status, headers, body } = await rest(h, path);
    const auth = `${h.httpUrl}/v1/regions/global/auth`;
    assert.equal(status, 200);
    assert.equal(headers.get("content-type"), "application/json");
    assert.deepEqual(body, {
      issuer: h.httpUrl,
      token_endpoint: `${auth}/token`,
      token_endpoint_auth_methods_supported: ["client_secret_basic", "client_secret_post"],
      introspection_endpoint: `${auth}/introspect`,
      introspection_endpoint_auth_methods_supported: ["Bearer"],
      revocation_endpoint: `${auth}/revoke`,
      revocation_endpoint_auth_methods_supported: ["Bearer"],
      jwks_uri: `${h.httpUrl}${KEY_SET}`,
      grant_types_supported: ["client_credentials"],
      response_types_supported: [],
    });
  });
}

test("the key set has the public half of the stored keys and nothing of the private one", async () => {
  const { headers, body } = await rest(h, KEY_SET);
  assert.equal(headers.get("content-type"), "application/json");
  const rows = await h.db.sql`select public_jwk from keyturn.signing_keys`;
  assert.equal(rows.length, 1);
  assert.deepEqual(body, { keys: rows.map((row) => row["public_jwk"]) });
  assert.deepEqual(Object.keys(body.keys[0]).sort(), ["alg", "crv", "kid", "kty", "use", "x", "y"]);
});

test("every document may be cached for five minutes by anybody, and an error by nobody", async () => {
  for (const path of [KEY_SET, ...METADATA]) {
    const { headers } = await rest(h, path, { headers: { "x-request-id": "look-1" } });
    assert.equal(headers.get("cache-control"), "public, max-age=300");
    assert.equal(headers.get("x-content-type-options"), "nosniff");
    assert.equal(headers.get("x-request-id"), "look-1");
    const refused = await rest(h, path, { method: "POST" });
    assert.equal(refused.headers.get("cache-control"), "no-store");
  }
});

test("HEAD is answered like GET, without the document", async () => {
  const got = await rest(h, KEY_SET);
  const head = await rest(h, KEY_SET, { method: "HEAD" });
  assert.deepEqual([head.status, head.text], [200, ""]);
  assert.equal(head.headers.get("content-length"), String(Buffer.byteLength(got.text)));
});

test("other methods are told which ones there are", async () => {
  for (const method of ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
    const { status, headers, body } = await rest(h, KEY_SET, { method });
    assert.deepEqual([status, headers.get("allow")], [405, "GET, HEAD"]);
    assert.equal(fromRest(status, headers, body).reason, "METHOD_NOT_ALLOWED");
  }
});

test("a query is no part of the path, and no other path is one of these", async () => {
  assert.equal((await rest(h, `${KEY_SET}?v=1`)).status, 200);
  for (const path of [
    "/.well-known",
    "/.well-known/",
    "/.well-known/jwks",
    `${KEY_SET}/`,
    "/.well-known//jwks.json",
    "/.well-known/%6Awks.json",
    "/.WELL-KNOWN/jwks.json",
    `${METADATA[0]}/`,
    `${METADATA[0]}/tenant`,
    "/.well-known/security.txt",
  ]) {
    const { status, headers, body } = await rest(h, path);
    assert.equal(status, 404, path);
    assert.equal(fromRest(status, headers, body).reason, "ROUTE_UNKNOWN");
  }
});

test("the Host of a request decides nothing", async () => {
  const answer = await rawRequest(h.httpUrl, `GET ${METADATA[0]} HTTP/1.1\r\nhost: evil.example\r\n\r\n`);
  assert.equal(answer.status, 200);
  assert.doesNotMatch(answer.text, /evil/);
});

test("a server that is told our issuer finds our keys by itself, and so does jose", async () => {
  const { kid } = (await rest(h, KEY_SET)).body.keys[0];
  const keySet = remoteKeySet(h.httpUrl);
  assert.ok(await keySet.keyFor(kid));
  assert.equal(await keySet.keyFor("unknown"), undefined);
  keySet.close();
  const { body } = await rest(h, METADATA[1] ?? "");
  const found = await createRemoteJWKSet(new URL(body.jwks_uri))({ alg: "ES256", kid });
  assert.equal(found.type, "public");
});

test("the issuer that is configured stands before everything, and its path where each specification wants it", async () => {
  const issuer = "https://login.example/keyturn/";
  const other = await givenKeyturn({ db: h.db, issuer: h.issuer, env: { KEYTURN_TOKEN_ISSUER: issuer } });
  try {
    for (const path of [...METADATA, `${METADATA[0]}/keyturn`]) {
      const { status, body } = await rest(other, path);
      assert.deepEqual([status, body.issuer], [200, issuer], path);
      assert.equal(body.token_endpoint, "https://login.example/keyturn/v1/regions/global/auth/token");
      assert.equal(body.jwks_uri, "https://login.example/keyturn/.well-known/jwks.json");
    }
    assert.equal((await rest(other, `${METADATA[0]}/other`)).status, 404);
    await eventually(async () => (await rest(other, KEY_SET)).status === 200);
    assert.deepEqual((await rest(other, KEY_SET)).body, (await rest(h, KEY_SET)).body);
  } finally {
    await other.stop();
  }
});

test("a server that has no keys says so, is not ready, and still says where they will be", async () => {
  const lone = await givenKeyturn({
    databaseUrl: "postgres://nobody@127.0.0.1:1/nothing",
    issuer: h.issuer,
    db: h.db,
  });
  try {
    const { status, headers, body } = await rest(lone, KEY_SET);
    assert.equal(status, 503);
    assert.equal(headers.get("retry-after"), "1");
    assert.equal(fromRest(status, headers, body).reason, "DATABASE_UNAVAILABLE");
    assert.equal((await rest(lone, METADATA[0] ?? "")).status, 200);
    assert.match(await (await fetch(`${lone.adminUrl}/readyz`)).text(), /signing key/);
  } finally {
    await lone.stop();
  }
});
