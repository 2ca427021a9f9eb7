import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { openCallers } from "../support/callers.ts";
import { credentialsPath, rest } from "../support/clients.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { type PostgresProxy, startPostgresProxy } from "../support/postgres-proxy.ts";

/** The longest that a caller may give. */
const DEADLINE_MS = 30_000;

let db: TestDatabase;
let proxy: PostgresProxy;
let h: TestKeyturn;
before(async () => {
  db = await givenDatabase();
  proxy = await startPostgresProxy(db.serverUrl);
  h = await givenKeyturn({ db, databaseUrl: proxy.url });
});
after(async () => {
  await h?.stop();
  await proxy?.stop();
  await db?.drop();
});

test("callers of a database that is silent hear that it is out of reach, long before their deadline, and a change is in doubt", async () => {
  const { organizationId, id } = await h.givenAccount();
  const token = await h.token(organizationId);
  const callers = openCallers(h.grpcAddress);
  try {
    const created = async (timeoutMs: number) => callers.create(id, token, { timeoutMs });
    assert.equal((await created(DEADLINE_MS)).kind, "created");
    proxy.mode("silent");
    const since = performance.now();
    const headers = { "connect-timeout-ms": String(DEADLINE_MS) };
    const [change, look] = await Promise.all([
      created(DEADLINE_MS),
      rest(h, credentialsPath(id), { token, headers }),
    ]);
    assert.ok(performance.now() - since < DEADLINE_MS / 2);
    assert.equal(change.kind, "refused");
    const { code, reason, metadata } = change.failure;
    assert.deepEqual(
      [code, reason, metadata["in_doubt"]],
      [Code.Unavailable, "DATABASE_UNAVAILABLE", "true"],
    );
    assert.equal(look.status, 503);
    proxy.mode("pass");
    await eventually(async () => (await created(DEADLINE_MS)).kind === "created");
  } finally {
    callers.close();
  }
});
