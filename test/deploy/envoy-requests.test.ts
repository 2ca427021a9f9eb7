import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { test } from "node:test";
import { rest } from "../support/clients.ts";
import { behindEnvoy, json } from "./behind-envoy.ts";

/** What deploy/envoy/README.md says about the requests that Envoy takes. */
const { skip, envoy, given, both } = behindEnvoy();

test("Envoy drops a field that there is none of: a misspelt expiresat means the default lifetime", {
  skip,
}, async () => {
  const { path, token } = await given();
  const { own, transcoded } = await both(path, {
    ...json({ expiresat: "2100-01-01T00:00:00Z", validateOnly: true }),
    token,
  });
  assert.deepEqual([own.status, transcoded.status], [400, 200]);
  const days = (Date.parse(transcoded.body.expiresAt) - Date.parse(transcoded.body.createdAt)) / 86_400_000;
  assert.equal(days, 90);
  const twice = await both(path, { ...json('{"validateOnly":false,"validateOnly":true}'), token });
  assert.deepEqual([twice.own.status, twice.transcoded.status], [400, 200]);
});

test("what Envoy refuses by itself is text, not JSON", { skip }, async () => {
  const { path, token } = await given();
  const cases = [
    { path, init: json("{"), own: 400, status: 400 },
    { path, init: json({ expiresAt: "yesterday" }), own: 400, status: 400 },
    { path: `${path}?zzz=1`, init: {}, own: 400, status: 400 },
    { path: `${path}?status=active`, init: {}, own: 200, status: 400 },
    { path: `${path}?status=CREDENTIAL_STATUS_ACTIVE`, init: {}, own: 400, status: 200 },
    { path, init: { method: "PUT" }, own: 405, status: 404 },
    { path: "/v1/nothing", init: {}, own: 404, status: 404 },
    { path: "/.well-known/jwks.json", init: {}, own: 200, status: 404 },
    { path, init: json({ displayName: "x".repeat(70_000) }), own: 413, status: 413 },
  ];
  for (const { path, init, own: ownStatus, status } of cases) {
    const { own, transcoded } = await both(path, { ...init, token });
    assert.deepEqual([own.status, transcoded.status], [ownStatus, status], path);
    const contentType = status === 200 ? "application/json" : "text/plain";
    assert.equal(transcoded.headers.get("content-type"), contentType, path);
    assert.equal(transcoded.headers.get("cache-control"), "no-store");
  }
});

test("a list without items is left out by Envoy, where our own edge says []", { skip }, async () => {
  const { path, token } = await given();
  const { own, transcoded } = await both(path, { token });
  assert.deepEqual([own.body, transcoded.body], [{ credentials: [] }, {}]);
});

test("Envoy is more lenient with a slash at the end, another content type, an id in path and body", {
  skip,
}, async () => {
  const { path, token } = await given();
  const text = { method: "POST", headers: { "content-type": "text/plain" }, body: '{"validateOnly":true}' };
  const cases = [
    { path: `${path}/`, init: {}, own: 404 },
    { path, init: text, own: 415 },
    { path, init: json({ serviceAccountId: "sa-other", validateOnly: true }), own: 400 },
  ];
  for (const { path, init, own: ownStatus } of cases) {
    const { own, transcoded } = await both(path, { ...init, token });
    assert.deepEqual([own.status, transcoded.status], [ownStatus, 200], path);
  }
});

test("through Envoy a retry is known by requestId in the body, not by Idempotency-Key", {
  skip,
}, async () => {
  const { path, token } = await given();
  const key = randomUUID();
  const keyed = json({});
  const ids = async (init: Parameters<typeof rest>[2]) => {
    const [first, second] = [
      await rest(envoy(), path, { ...init, token }),
      await rest(envoy(), path, { ...init, token }),
    ];
    return new Set([first.body.clientSecret, second.body.clientSecret]).size;
  };
  assert.equal(await ids({ ...keyed, headers: { ...keyed.headers, "idempotency-key": key } }), 2);
  assert.equal(await ids(json({ requestId: randomUUID() })), 1);
});

test("through Envoy the token endpoint takes JSON only, no form and no HTTP Basic", { skip }, async () => {
  const body = new URLSearchParams({ grant_type: "client_credentials" }).toString();
  const form = {
    "content-type": "application/x-www-form-urlencoded",
    authorization: `Basic ${btoa("a@b.iam:c")}`,
  };
  const { own, transcoded } = await both("/oauth2/token", { method: "POST", headers: form, body });
  assert.deepEqual([own.status, own.body.error, transcoded.status], [401, "invalid_client", 400]);
  const asJson = await rest(
    envoy(),
    "/oauth2/token",
    json({ grant_type: "client_credentials", client_id: "a@b.iam", client_secret: "c" }),
  );
  assert.deepEqual(
    [asJson.status, asJson.body.code, asJson.body.details[0].reason],
    [401, 16, "INVALID_CLIENT"],
  );
});
