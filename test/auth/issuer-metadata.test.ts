import assert from "node:assert/strict";
import { test } from "node:test";
import { assertIssuerName, fetchPublishedKeys } from "../../src/auth/issuer-metadata.ts";
import { KeySetError } from "../../src/auth/key-set-error.ts";
import { unavailable } from "../../src/domain/fault.ts";
import type { Behaviour } from "../support/issuer.ts";
import { givenKeySet, problemOf } from "../support/key-set.ts";

const refused: readonly [Behaviour, problem: string][] = [
  ["status_500", "http_status"],
  ["redirect", "unreachable"],
  ["huge", "too_large"],
  ["not_json", "not_json"],
  ["duplicate_keys", "not_json"],
  ["wrong_issuer", "issuer_mismatch"],
  ["foreign_key_set_address", "key_set_address"],
];

for (const [behaviour, problem] of refused) {
  test(`an issuer that answers with ${behaviour} is not believed`, async (t) => {
    const { issuer, keySet, outcomes } = await givenKeySet(t);
    issuer.behave(behaviour);
    await assert.rejects(keySet.keyFor(issuer.key().id), unavailable("key_set", 1_500));
    assert.deepEqual(outcomes.map(problemOf), [problem]);
    assert.ok(!issuer.requests.some((path) => path.startsWith("/moved")), "a redirect is not followed");
  });
}

test("an issuer that is gone is unreachable", async (t) => {
  const { issuer, keySet, outcomes } = await givenKeySet(t, {
    deps: { fetch: () => Promise.reject(new TypeError("fetch failed")) },
  });
  await assert.rejects(keySet.keyFor(issuer.key().id), unavailable("key_set", 1_500));
  assert.deepEqual(outcomes.map(problemOf), ["unreachable"]);
});

test("an issuer that never answers is given up after 5 s", async (t) => {
  const { issuer, keySet, clock, outcomes } = await givenKeySet(t);
  issuer.behave("hang");
  const asked = issuer.nextRequest();
  const refusal = assert.rejects(keySet.ready(), unavailable("key_set", 1_500));
  await asked;
  clock.advance(4_999);
  assert.equal(outcomes.length, 0);
  clock.advance(1);
  await refusal;
  assert.deepEqual(outcomes.map(problemOf), ["timeout"]);
});

test("an issuer that stops in the middle of a document is given up after 5 s", async (t) => {
  const begun = Promise.withResolvers<void>();
  const { issuer, keySet, clock, outcomes } = await givenKeySet(t, {
    deps: {
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        begun.resolve();
        return response;
      },
    },
  });
  issuer.behave("hang_in_body");
  const refusal = assert.rejects(keySet.ready(), unavailable("key_set", 1_500));
  await begun.promise;
  clock.advance(5_000);
  await refusal;
  assert.deepEqual(outcomes.map(problemOf), ["timeout"]);
});

for (const path of ["", "/tenants/one", "/tenants/one/"]) {
  test(`finds the metadata of an issuer at ${path || "the root"}, in both places`, async (t) => {
    const { issuer, keySet } = await givenKeySet(t, { issuer: { path } });
    assert.ok(await keySet.keyFor(issuer.key().id));
    const openid = `${path.replace(/\/$/, "")}/.well-known/openid-configuration`;
    assert.deepEqual(issuer.requests, [openid, "/keys"]);
  });
}

for (const path of ["", "/tenants/one"]) {
  test(`falls back to the RFC 8414 address of an issuer at ${path || "the root"}`, async (t) => {
    const { issuer, keySet } = await givenKeySet(t, { issuer: { path } });
    issuer.behave("oauth_metadata_only");
    assert.ok(await keySet.keyFor(issuer.key().id));
    const [openid, oauth] = [
      `${path}/.well-known/openid-configuration`,
      `/.well-known/oauth-authorization-server${path}`,
    ];
    assert.deepEqual(issuer.requests, [openid, oauth, "/keys"]);
  });
}

/** Answers as `issuer` with this `jwks_uri`, and remembers what was asked for. */
function stubFetch(issuer: string, keySetAddress: unknown) {
  const asked: string[] = [];
  const fetch = async (url: URL) => {
    asked.push(url.href);
    const isMetadata = url.pathname.startsWith("/.well-known");
    return Response.json(isMetadata ? { issuer, jwks_uri: keySetAddress } : { keys: [] });
  };
  return { asked, fetch: fetch as unknown as typeof globalThis.fetch };
}

const addresses: readonly [issuer: string, keySetAddress: unknown, isFollowed: boolean][] = [
  ["https://issuer.example", "https://issuer.example/keys", true],
  ["https://issuer.example", "https://keys.example/v1", true],
  ["https://issuer.example", "http://issuer.example/keys", false],
  ["https://issuer.example", "http://127.0.0.1:9090/metrics", false],
  ["https://issuer.example", "http://localhost/keys", false],
  ["https://issuer.example", "file:///etc/passwd", false],
  ["https://issuer.example", "data:application/json,{}", false],
  ["https://issuer.example", "/keys", false],
  ["https://issuer.example", "", false],
  ["https://issuer.example", undefined, false],
  ["https://issuer.example", ["https://issuer.example/keys"], false],
  ["http://127.0.0.1:8081", "http://localhost:8082/keys", true],
  ["http://localhost:8081", "http://[::1]:8082/keys", true],
  ["http://localhost:8081", "http://127.9.9.9/keys", true],
  ["http://localhost:8081", "http://127.0.0.1.example/keys", false],
  ["http://localhost:8081", "http://localhost.example/keys", false],
];

for (const [issuer, keySetAddress, isFollowed] of addresses) {
  test(`${isFollowed ? "follows" : "refuses"} the jwks_uri ${keySetAddress} of ${issuer}`, async () => {
    const { asked, fetch } = stubFetch(issuer, keySetAddress);
    const fetched = fetchPublishedKeys(fetch, issuer, new AbortController().signal);
    if (isFollowed) assert.deepEqual(await fetched, { keys: [] });
    else await assert.rejects(fetched, new KeySetError("key_set_address"));
    assert.equal(asked.length, isFollowed ? 2 : 1);
  });
}

const issuerNames: readonly [issuer: string, isGood: boolean][] = [
  ["https://issuer.example", true],
  ["https://issuer.example/", true],
  ["https://issuer.example:8443/tenants/one", true],
  ["http://127.0.0.1:8081", true],
  ["http://localhost:8081", true],
  ["http://[::1]:8081", true],
  ["http://issuer.example", false],
  ["http://10.0.0.1", false],
  ["http://127.0.0.1.example", false],
  ["https://issuer.example/?tenant=one", false],
  ["https://issuer.example/#one", false],
  ["https://user:secret@issuer.example", false],
  ["ftp://issuer.example", false],
  ["issuer.example", false],
  ["", false],
];

for (const [issuer, isGood] of issuerNames) {
  test(`${isGood ? "takes" : "refuses"} the issuer ${JSON.stringify(issuer)}`, () => {
    if (isGood) assertIssuerName(issuer);
    else assert.throws(() => assertIssuerName(issuer), TypeError);
  });
}
