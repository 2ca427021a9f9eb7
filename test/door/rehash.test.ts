import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { rest } from "../support/clients.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { givenIssued, type IssuedCredential } from "../support/issued-credential.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { verifyAs } from "../support/verifier.ts";

/** Two replicas, one of which has the new cost already while the other still has the old one. */
let [db, issuer]: [TestDatabase?, TestIssuer?] = [];
let servers: TestKeyturn[] = [];
before(async () => {
  db = await givenDatabase();
  issuer = await startIssuer();
  for (const [memoryKib, passes] of [
    ["64", "1"],
    ["128", "2"],
  ] as const) {
    const env = { KEYTURN_ARGON2_MEMORY_KIB: memoryKib, KEYTURN_ARGON2_PASSES: passes };
    servers.push(await givenKeyturn({ db, issuer, env }));
  }
});
after(async () => {
  await Promise.all(servers.map((server) => server.stop()));
  servers = [];
  await issuer?.stop();
  await db?.drop();
});

const [CHEAP, DEAR] = [0, 1];
const serverAt = (place: number) => servers[place] ?? assert.fail("no such server");

async function uses(place: number, issued: IssuedCredential): Promise<void> {
  const { organizationId, secret } = issued;
  const { body, reason } = await verifyAs(serverAt(place), { organizationId }, { clientSecret: secret });
  assert.deepEqual([reason, Object.keys(body ?? {})], ["", ["principal"]]);
}

/** How often argon2 was asked by checks there. */
async function hashesAt(place: number): Promise<number> {
  const { text } = await rest({ httpUrl: serverAt(place).adminUrl }, "/metrics");
  return Number(/^keyturn_check_hash_wait_seconds_count (\d+)$/m.exec(text)?.[1]);
}

async function hashOf({ id }: IssuedCredential): Promise<string> {
  const rows = await serverAt(CHEAP).db.sql<{ secret_hash: string }[]>`
    select secret_hash from keyturn.credentials where id = ${id}`;
  return rows[0]?.secret_hash ?? assert.fail("no such credential");
}

test("replicas of different cost replace a hash once, and the one that did so needs no argon2 afterwards", async () => {
  const issued = await givenIssued(serverAt(CHEAP));
  const made = await hashOf(issued);
  await uses(DEAR, issued);
  const replaced = await eventually(async () => {
    const hash = await hashOf(issued);
    return hash === made ? undefined : hash;
  });
  assert.match(replaced, /m=128,t=2,p=1/);
  const hashes = await hashesAt(DEAR);
  for (let round = 0; round < 5; round += 1) for (const place of [CHEAP, DEAR]) await uses(place, issued);
  assert.equal(await hashOf(issued), replaced);
  assert.equal(await hashesAt(DEAR), hashes);
});
