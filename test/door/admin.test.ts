import assert from "node:assert/strict";
import { test } from "node:test";
import postgres from "postgres";
import { grpcClient, grpcFailure, rest, restCreate } from "../support/clients.ts";
import { givenDatabase } from "../support/database.ts";
import { startIssuer } from "../support/issuer.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { rawRequest } from "../support/raw-http.ts";
import { eventually, metric } from "../support/stored.ts";

async function get(h: Pick<TestKeyturn, "adminUrl">, path: string) {
  const res = await fetch(h.adminUrl + path);
  return { status: res.status, text: await res.text(), headers: res.headers };
}

test("a server that can work is live and ready", async () => {
  const h = await givenKeyturn();
  try {
    assert.equal((await get(h, "/livez")).status, 200);
    const ready = await eventually(
      () => get(h, "/readyz"),
      ({ status }) => status === 200,
    );
    assert.equal(ready.text, "ok\n");
    assert.equal(ready.headers.get("cache-control"), "no-store");
  } finally {
    await h.stop();
  }
});

test("a server without its database is live, not ready, and names the database", async () => {
  const h = await givenKeyturn({ databaseUrl: "postgres://nobody@127.0.0.1:1/nothing" });
  try {
    assert.equal((await get(h, "/livez")).status, 200);
    const ready = await get(h, "/readyz");
    assert.equal(ready.status, 503);
    assert.match(ready.text, /database unreachable/);
  } finally {
    await h.stop();
  }
});

test("a server whose database lacks its migrations is not ready, and names them", async () => {
  const db = await givenDatabase("empty");
  const h = await givenKeyturn({ db });
  try {
    const ready = await get(h, "/readyz");
    assert.equal(ready.status, 503);
    assert.match(ready.text, /database migrations/);
  } finally {
    await h.stop();
    await db.drop();
  }
});

test("a server without its issuer's keys is not ready, names the issuer, and is ready once it has them", async () => {
  const issuer = await startIssuer();
  issuer.behave("status_500");
  const h = await givenKeyturn({ issuer });
  try {
    const ready = await get(h, "/readyz");
    assert.equal(ready.status, 503);
    assert.ok(ready.text.includes(`keys of ${issuer.url}`), ready.text);
    issuer.behave("well");
    await eventually(
      () => get(h, "/readyz"),
      ({ status }) => status === 200,
    );
  } finally {
    await h.stop();
    await issuer.stop();
  }
});

test("a server that drains is live and not ready, until its last call is answered", async () => {
  const h = await givenKeyturn();
  const lock = postgres(h.db.superuserUrl, { max: 1 });
  try {
    const { organizationId, id } = await h.givenAccount();
    await lock`begin`;
    await lock`select from keyturn.service_accounts where id = ${id} for update`;
    const answer = restCreate(h, id, await h.token(organizationId));
    await eventually(
      () => h.db.sql`select from pg_stat_activity where wait_event_type = 'Lock' and datname = ${h.db.name}`,
      (rows) => rows.length === 1,
    );
    const stopped = h.keyturn.stop(10_000);
    const ready = await get(h, "/readyz");
    assert.equal(ready.status, 503);
    assert.match(ready.text, /draining/);
    await lock`rollback`;
    assert.equal((await answer).status, 201);
    await stopped;
  } finally {
    await lock.end({ timeout: 1 });
    await h.issuer.stop();
    await h.db.drop();
  }
});

test("calls are counted by door, method, code and reason, and no identifier is in any label", async () => {
  const h = await givenKeyturn();
  const grpc = grpcClient(h.grpcAddress);
  try {
    const { organizationId, id } = await h.givenAccount();
    const token = await h.token(organizationId);
    const created = await restCreate(h, id, token);
    await restCreate(h, id, undefined);
    await restCreate(h, "sa-nobody", token);
    await grpcFailure(grpc.createCredential({ serviceAccountId: id }));
    const { text, headers } = await get(h, "/metrics");
    assert.match(headers.get("content-type") ?? "", /^text\/plain/);
    const rpc = 'service="CredentialService",method="CreateCredential"';
    for (const [labels, count] of [
      [`door="rest",${rpc},code="OK",reason=""`, 1],
      [`door="rest",${rpc},code="UNAUTHENTICATED",reason="UNAUTHENTICATED"`, 1],
      [`door="rest",${rpc},code="NOT_FOUND",reason="NOT_FOUND"`, 1],
      [`door="grpc",${rpc},code="UNAUTHENTICATED",reason="UNAUTHENTICATED"`, 1],
    ] as const) {
      assert.ok(text.includes(`keyturn_calls_total{${labels}} ${count}\n`), labels);
    }
    const secrets = [
      organizationId,
      id,
      created.body.id,
      created.body.clientSecret,
      "user-admin-001",
      "sa-nobody",
      token,
    ];
    for (const value of secrets) assert.ok(!text.includes(value), value);
  } finally {
    grpc.close();
    await h.stop();
  }
});

test("the admin door knows nothing else, and outlives what is no request", async () => {
  const h = await givenKeyturn();
  try {
    for (const path of [
      "/",
      "/metrics/",
      "/keyturn.v1.CredentialService/CreateCredential",
      "/__proto__",
      "/constructor",
    ]) {
      assert.equal((await get(h, path)).status, 404, path);
    }
    assert.equal((await fetch(`${h.adminUrl}/livez`, { method: "POST" })).status, 404);
    assert.equal((await rawRequest(h.adminUrl, "hello\r\n\r\n")).status, 400);
    assert.equal((await rawRequest(h.adminUrl, "GET /livez HTTP/1.1\r\nhost: [\r\n\r\n")).status, 200);
    assert.equal((await get(h, "/livez?verbose=1")).status, 200);
  } finally {
    await h.stop();
  }
});

test("a request that fits no path is counted and, at the level debug, logged by its request id", async () => {
  const h = await givenKeyturn();
  try {
    const res = await rest(h, "/wp-login.php", { headers: { "x-request-id": "scan-1" } });
    assert.equal(res.status, 404);
    assert.equal(await metric(h, 'keyturn_unrouted_requests_total{reason="ROUTE_UNKNOWN"}'), 1);
    assert.match(h.log(), /"request_id":"scan-1","door":"http","reason":"ROUTE_UNKNOWN"/);
  } finally {
    await h.stop();
  }
});
