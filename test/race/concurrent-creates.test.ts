import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { auditFaults } from "../support/audit.ts";
import { type Callers, type Outcome, openCallers } from "../support/callers.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { environment } from "../support/keyturn.ts";
import { metricOf, type ServerProcess, startServer } from "../support/process.ts";

const SERVERS = 4;
const CALLERS = 64;
const ROUNDS = 50;
const LIMIT = 5;
/** A round takes one secret for each caller; all but those of five creates come back. */
const POOL = 72;
const PATIENCE_MS = 30_000;

let db: TestDatabase;
let issuer: TestIssuer;
let servers: ServerProcess[] = [];
let callers: Callers[] = [];

before(async () => {
  db = await givenDatabase();
  issuer = await startIssuer();
  const env = {
    // What is tested is the promise, not the speed of the machine: nobody is sent away from the row's lock by the clock.
    ...environment(`${db.serverUrl}?lock_timeout=${PATIENCE_MS}`, issuer.url),
    // Half of them may wait for one account: as many as callers, so that all stand at the lock and none in front of it.
    KEYTURN_DATABASE_CONNECTIONS_MAX: String(2 * CALLERS),
    KEYTURN_MINT_POOL_SIZE: String(POOL),
  };
  servers = await Promise.all(Array.from({ length: SERVERS }, () => startServer(env)));
  callers = servers.map(({ addresses }) => openCallers(addresses.grpc, 4));
  await Promise.all(servers.map(poolIsFull));
  for (const server of callers) await openConnections(server);
});

after(async () => {
  for (const one of callers) one.close();
  await Promise.all(servers.map((server) => server.stop()));
  await issuer.stop();
  await db.drop();
});

test(`${SERVERS} servers with ${CALLERS} callers each leave exactly five credentials of one account, ${ROUNDS} times over`, async (t) => {
  const { organizationId } = await givenAccount(db.sql);
  const token = await tokenFor(organizationId);
  const roundMs: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const account = await givenAccount(db.sql, organizationId);
    const startedAt = performance.now();
    const outcomes = await race(account.id, token);
    roundMs.push(performance.now() - startedAt);
    assertFiveAndTheRestRefused(outcomes);
    assert.deepEqual(await activeIds(organizationId, account.id), createdIds(outcomes));
  }
  assert.deepEqual(await auditFaults(db.sql, organizationId), []);
  const audit = await db.sql<{ outcome: string; rows: number }[]>`
    select outcome, count(*)::int as rows from keyturn.audit_events
     where organization_id = ${organizationId} group by outcome`;
  assert.deepEqual(Object.fromEntries(audit.map(({ outcome, rows }) => [outcome, rows])), {
    succeeded: ROUNDS * LIMIT,
    credential_limit_reached: ROUNDS * (SERVERS * CALLERS - LIMIT),
  });
  t.diagnostic(`rounds of ${SERVERS * CALLERS} creates in ms: ${roundMs.map(Math.round).join(" ")}`);
});

function race(accountId: string, token: string): Promise<Outcome[]> {
  const everyone = callers.flatMap((server) => Array.from({ length: CALLERS }, () => server));
  return Promise.all(everyone.map((server) => server.create(accountId, token, { timeoutMs: PATIENCE_MS })));
}

function assertFiveAndTheRestRefused(outcomes: readonly Outcome[]): void {
  const tally = new Map<string, number>();
  for (const outcome of outcomes) {
    const word = outcome.kind === "created" ? "created" : (outcome.failure.reason ?? outcome.failure.message);
    tally.set(word, (tally.get(word) ?? 0) + 1);
  }
  assert.deepEqual(Object.fromEntries(tally), {
    created: LIMIT,
    CREDENTIAL_LIMIT_REACHED: SERVERS * CALLERS - LIMIT,
  });
}

const createdIds = (outcomes: readonly Outcome[]): string[] =>
  outcomes.flatMap((outcome) => (outcome.kind === "created" ? [outcome.created.id] : [])).sort();

/** Asked of the database, not of the service. */
async function activeIds(organizationId: string, accountId: string): Promise<string[]> {
  const rows = await db.sql<{ id: string }[]>`
    select id from keyturn.credentials
     where organization_id = ${organizationId} and service_account_id = ${accountId} and expires_at > clock_timestamp()
     order by id collate "C"`;
  return rows.map(({ id }) => id);
}

const tokenFor = (organizationId: string): Promise<string> =>
  issuer.sign({ claims: { tenant_id: organizationId, roles: ["admin"], sub: "user-admin-001" } });

/** Creates for an account that does not exist: they take a connection each, and keep no secret. */
async function openConnections(server: Callers): Promise<void> {
  const token = await tokenFor("nobody");
  await Promise.all(Array.from({ length: CALLERS }, () => server.create("sa-nobody", token)));
}

async function poolIsFull(server: ServerProcess): Promise<void> {
  while ((await metricOf(server, "keyturn_mint_pool_level")) !== POOL) await delay(50);
}
