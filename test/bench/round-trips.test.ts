import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Callers, openCallers } from "../support/callers.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { type PostgresProxy, startPostgresProxy } from "../support/postgres-proxy.ts";

const CREATES = 40;

let db: TestDatabase;
let proxy: PostgresProxy;
let h: TestKeyturn;
let callers: Callers;

before(async () => {
  db = await givenDatabase();
  proxy = await startPostgresProxy(db.serverUrl);
  h = await givenKeyturn({ db, databaseUrl: proxy.url, env: { KEYTURN_DATABASE_CONNECTIONS_MAX: "1" } });
  callers = openCallers(h.grpcAddress);
});
after(async () => {
  callers.close();
  await h.stop();
  await proxy.stop();
  await db.drop();
});

test("a create costs one round trip to the database, allowed or refused", async (t) => {
  await createOnce();
  const before = proxy.roundTrips();
  for (let n = 0; n < CREATES; n += 1) assert.equal(await createOnce(), "created");
  const afterCreates = proxy.roundTrips();
  assert.equal(afterCreates - before, CREATES);

  const account = await h.givenAccount();
  for (let n = 0; n < 5; n += 1) assert.equal(await createOnce(account), "created");
  for (let n = 0; n < 5; n += 1) assert.equal(await createOnce(account), "CREDENTIAL_LIMIT_REACHED");
  assert.equal(await createOnce({ ...account, id: "sa-unknown" }), "NOT_FOUND");
  assert.equal(proxy.roundTrips() - afterCreates, 11);
  t.diagnostic(`${CREATES + 11} creates took ${proxy.roundTrips() - before} round trips`);
});

async function createOnce(account?: {
  readonly organizationId: string;
  readonly id: string;
}): Promise<string> {
  const { organizationId, id } = account ?? (await h.givenAccount());
  const outcome = await callers.create(id, await h.token(organizationId));
  return outcome.kind === "created" ? "created" : (outcome.failure.reason ?? "");
}
