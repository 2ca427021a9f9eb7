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
  const costs: number[] = [];
  const create = async (expected: string, account?: Parameters<typeof createOnce>[0]) => {
    const before = proxy.roundTrips();
    assert.equal(await createOnce(account), expected);
    costs.push(proxy.roundTrips() - before);
  };
  for (let n = 0; n < CREATES; n += 1) await create("created");
  const account = await h.givenAccount();
  for (let n = 0; n < 5; n += 1) await create("created", account);
  for (let n = 0; n < 5; n += 1) await create("CREDENTIAL_LIMIT_REACHED", account);
  await create("NOT_FOUND", { ...account, id: "sa-unknown" });

  // Beside the calls the server now and then loads its signing keys, or counts what expires.
  const dearer = costs.filter((cost) => cost !== 1);
  assert.ok(dearer.length <= 4, `round trips: ${costs.join(" ")}`);
  t.diagnostic(`${costs.length} creates, ${costs.length - dearer.length} of them in one round trip`);
});

async function createOnce(account?: {
  readonly organizationId: string;
  readonly id: string;
}): Promise<string> {
  const { organizationId, id } = account ?? (await h.givenAccount());
  const outcome = await callers.create(id, await h.token(organizationId));
  return outcome.kind === "created" ? "created" : (outcome.failure.reason ?? "");
}
