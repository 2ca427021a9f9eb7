import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { type Scope, scopeOf } from "../cli/keyturn-command.ts";
import { rest, restCreate } from "../support/clients.ts";
import { DOORS } from "../support/doors.ts";
import { eventually } from "../support/eventually.ts";
import { givenKeyturn } from "../support/keyturn.ts";
import { freePorts, givenFolder } from "./edge-process.ts";
import { givenNginx, nginxConfiguration } from "./given-nginx.ts";
import { skipWithout, toolNamed } from "./tool.ts";

const skip = skipWithout("nginx");

async function behindNginx(scope: Scope) {
  const h = await givenKeyturn();
  scope.after(() => h.stop());
  const { organizationId, id } = await h.givenAccount();
  const nginx = await givenNginx(scope, { http: new URL(h.httpUrl).host, grpc: h.grpcAddress });
  return { h, nginx, id, token: await h.token(organizationId) };
}

test("nginx takes the configuration", { skip }, (t) => {
  const upstream = { http: "127.0.0.1:8080", grpc: "127.0.0.1:50051" };
  const folder = givenFolder(scopeOf(t));
  const file = nginxConfiguration({ folder, httpPort: 18_080, grpcPort: 18_081, upstream });
  const { status, stderr } = spawnSync(toolNamed("nginx") ?? "", ["-t", "-c", file], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
});

test("through nginx each of the five ways creates, and is refused with the same reason", {
  skip,
}, async (t) => {
  const { nginx, id, token } = await behindNginx(scopeOf(t));
  for (const { name, create } of DOORS) {
    assert.equal((await create(nginx, { serviceAccountId: id }, { token })).code, 0, name);
    const refused = await create(nginx, { serviceAccountId: "sa-nobody" }, { token });
    assert.equal(refused.reason, "NOT_FOUND", name);
    assert.equal((await create(nginx, { serviceAccountId: id })).reason, "UNAUTHENTICATED", name);
  }
});

test("nginx hands a request on and an answer back as they are", { skip }, async (t) => {
  const { h, nginx, id, token } = await behindNginx(scopeOf(t));
  const created = await restCreate(nginx, id, token);
  assert.equal(created.status, 201);
  assert.equal(created.headers.get("location")?.endsWith(created.body.id), true);
  assert.equal(created.headers.get("cache-control"), "no-store");
  for (const path of ["//v1/regions", "/v1/regions/../regions", "/v1/%2e%2e/x", "/oauth2/token/"]) {
    const [own, through] = [await rest(h, path), await rest(nginx, path)];
    assert.deepEqual([through.status, through.body], [own.status, own.body], path);
  }
});

test("what nginx logs of a call has the request id that Keyturn logs and answers with, the caller's own if he has one", {
  skip,
}, async (t) => {
  const { h, nginx, id, token } = await behindNginx(scopeOf(t));
  const ids: (string | null)[] = [];
  for (const headers of [{}, { "x-request-id": "mine-1" }]) {
    const res = await rest(nginx, `/v1/regions/global/iam/service-accounts/${id}`, {
      headers: { authorization: `Bearer ${token}`, ...headers },
    });
    ids.push(res.headers.get("x-request-id"));
  }
  assert.equal(ids[1], "mine-1");
  const logged = await eventually(() => {
    const lines = readFileSync(nginx.log, "utf8").trim().split("\n");
    const calls = lines.map((line) => JSON.parse(line)).filter(({ path }) => path.endsWith(id));
    return calls.length === 2 ? calls : undefined;
  });
  assert.deepEqual(
    logged.map(({ request_id }) => request_id),
    ids,
  );
  for (const requestId of ids) assert.ok(h.log().includes(`"request_id":"${requestId}"`), String(requestId));
});

test("nginx refuses a body that is too large in the form of Keyturn's errors", { skip }, async (t) => {
  const { h, nginx, id, token } = await behindNginx(scopeOf(t));
  const body = { displayName: "x".repeat(70_000) };
  const [own, through] = [await restCreate(h, id, token, body), await restCreate(nginx, id, token, body)];
  assert.deepEqual([through.status, through.body], [own.status, own.body]);
  const grpc = DOORS.find(({ name }) => name === "gRPC");
  const refused = await grpc?.create(
    nginx,
    { serviceAccountId: id, displayName: body.displayName },
    { token },
  );
  assert.equal(refused?.code, 8);
});

test("with no Keyturn behind it, nginx answers 503 in the envelope, and UNAVAILABLE over gRPC", {
  skip,
}, async (t) => {
  const scope = scopeOf(t);
  const [http, grpc] = await freePorts(2);
  const nginx = await givenNginx(scope, { http: `127.0.0.1:${http}`, grpc: `127.0.0.1:${grpc}` });
  const answer = await restCreate(nginx, "sa-nobody", undefined);
  assert.deepEqual([answer.status, answer.body.error.code], [503, 503]);
  for (const { name, create } of DOORS) {
    const { code } = await create(nginx, { serviceAccountId: "sa-nobody" });
    assert.equal(code, 14, name);
  }
});
