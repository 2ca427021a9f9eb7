import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { status } from "@grpc/grpc-js";
import { SERVICES } from "../../src/rpc/services.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { type HealthClient, healthClient } from "../support/health-client.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { type PostgresProxy, startPostgresProxy } from "../support/postgres-proxy.ts";

const NAMES = ["", ...Object.values(SERVICES).map(({ typeName }) => typeName)];

let db: TestDatabase;
let proxy: PostgresProxy;
let h: TestKeyturn;
let health: HealthClient;
before(async () => {
  db = await givenDatabase();
  proxy = await startPostgresProxy(db.serverUrl);
  h = await givenKeyturn({ db, databaseUrl: proxy.url });
  health = healthClient(h.grpcAddress);
});
after(async () => {
  health.close();
  await h.stop();
  await proxy.stop();
  await db.drop();
});

const readyz = async () => (await fetch(`${h.adminUrl}/readyz`)).status;
const serving = () => eventually(async () => (await health.check("")) === "SERVING");

test("the server and each of its services are SERVING, for callers without a token", async () => {
  await serving();
  for (const name of NAMES) assert.equal(await health.check(name), "SERVING", name);
});

test("List has the server and each of its services, and nothing else", async () => {
  await serving();
  assert.deepEqual(await health.list(), Object.fromEntries(NAMES.map((name) => [name, "SERVING"])));
});

test("the health of a service that there is none of is NOT_FOUND, and one who watches it is told that it is unknown", async () => {
  await assert.rejects(health.check("keyturn.v1.Nothing"), { code: status.NOT_FOUND });
  assert.deepEqual(await health.watch("keyturn.v1.Nothing").heard(1), ["SERVICE_UNKNOWN"]);
});

test("whoever watches hears of a database that goes and comes back, and /readyz says the same", async () => {
  await serving();
  const watches = NAMES.map((name) => health.watch(name));
  for (const watch of watches) await watch.heard(1);
  proxy.refuse();
  proxy.cut();
  for (const watch of watches) await watch.heard(2);
  assert.equal(await readyz(), 503);
  await proxy.listen();
  for (const watch of watches) assert.deepEqual(await watch.heard(3), ["SERVING", "NOT_SERVING", "SERVING"]);
  assert.equal(await readyz(), 200);
});

test("a drain is heard by those who watch, whose calls end then", async () => {
  const other = await givenKeyturn({ db, databaseUrl: db.serverUrl });
  const client = healthClient(other.grpcAddress);
  await eventually(async () => (await client.check("")) === "SERVING");
  const watch = client.watch("keyturn.v1.CredentialService");
  await watch.heard(1);
  await other.stop();
  assert.equal(await watch.ended, status.UNAVAILABLE);
  assert.deepEqual(watch.statuses, ["SERVING", "NOT_SERVING"]);
  client.close();
});
