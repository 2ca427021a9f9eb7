import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { after, before, test } from "node:test";
import type { CallContext } from "../../src/domain/call-context.ts";
import { DEFAULT_POLICY } from "../../src/domain/policy.ts";
import { verifyAuditTrail } from "../../src/storage/audit-verification.ts";
import type { AuditFinding } from "../../src/storage/chain-check.ts";
import { openCredentials } from "../../src/storage/credentials.ts";
import type { Database } from "../../src/storage/database.ts";
import type { Outcome } from "../../src/storage/mutation.ts";
import { openRefusalRecorder } from "../../src/storage/refusal-recorder.ts";
import { openServiceAccounts } from "../../src/storage/service-accounts.ts";
import { auditFaults } from "../support/audit.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { givenPool } from "../support/given-pool.ts";
import type { Account } from "./create-call.ts";

const MUTATIONS = 10_000;
const ORGANIZATIONS = 5;
const ACCOUNTS = 50;
const SERVERS = 4;

let db: TestDatabase;
let pools: Database[];
before(async () => {
  db = await givenDatabase();
  pools = Array.from({ length: SERVERS }, () => givenPool(db.serverUrl, 10));
});
after(async () => {
  await Promise.all(pools.map((pool) => pool.close(0)));
  await db.drop();
});

/** What was asked for, and what the caller was told: the word that the trail must have as well. */
interface Told {
  readonly requestId: string;
  readonly action: string;
  readonly outcome: string;
}

/** The server that the call comes to, as far as it has to do with the database. No secret is hashed. */
function serverOn(pool: Database) {
  return {
    credentials: openCredentials(pool, DEFAULT_POLICY),
    accounts: openServiceAccounts(pool),
    writeRefusal: openRefusalRecorder(pool, 120_000),
  };
}

const callOf = ({ organizationId }: Account): CallContext => ({
  caller: {
    organizationId,
    issuer: "https://issuer.example",
    subject: "user-admin-001",
    roles: ["admin"],
    expiresAtMs: Number.MAX_SAFE_INTEGER,
  },
  grantableRoles: "all",
  reach: "organization",
  requestId: randomUUID(),
  clientAddress: "203.0.113.7",
  budgetMs: () => 120_000,
  signal: new AbortController().signal,
});

const wordOf = ({ kind, ...rest }: Outcome<unknown>) =>
  kind === "refused" && "fault" in rest ? rest.fault.kind : "succeeded";

const credentialId = (account: Account, number: number) => `cred-${account.id}-${number}`;

/** The nth mutation of an account: of ten, five creates, three deletes of what was or will be created, an update, a refusal. */
async function mutation(server: ReturnType<typeof serverOn>, account: Account, n: number): Promise<Told> {
  const ctx = callOf(account);
  const { requestId } = ctx;
  const serviceAccountId = account.id;
  const target = { serviceAccountId, etag: undefined, validateOnly: false };
  const turn = n % 10;
  if (turn < 5) {
    const stored = { credentialId: credentialId(account, n), secretHash: "no-hash", hint: "hint" };
    const wanted = { serviceAccountId, stored, expiresAt: undefined, claim: undefined, validateOnly: false };
    return {
      requestId,
      action: "credential.create",
      outcome: wordOf(await server.credentials.create(ctx, wanted)),
    };
  }
  if (turn < 8) {
    const id = credentialId(account, n - 5);
    return {
      requestId,
      action: "credential.delete",
      outcome: wordOf(await server.credentials.delete(ctx, { ...target, id })),
    };
  }
  if (turn === 8) {
    const outcome = await server.accounts.update(ctx, target, { displayName: `Number ${n}` });
    return { requestId, action: "service_account.update", outcome: wordOf(outcome) };
  }
  const refusal = {
    action: "credential.create",
    outcome: "permission_denied",
    serviceAccountId,
    credentialId: undefined,
  };
  await server.writeRefusal(ctx, refusal);
  return { requestId, ...refusal };
}

async function findingsOf(pool: Database) {
  const findings: AuditFinding[] = [];
  const total = await verifyAuditTrail(pool, {}, { onFinding: (finding) => findings.push(finding) });
  return { ...total, findings };
}

test(`${MUTATIONS} mutations at once, over ${ACCOUNTS} accounts and ${SERVERS} servers, leave whole chains with a row each`, async (t) => {
  const organizations = Array.from({ length: ORGANIZATIONS }, (_, n) => `org-load-${n}`);
  const accounts: Account[] = [];
  for (let n = 0; n < ACCOUNTS; n += 1)
    accounts.push(await givenAccount(db.sql, organizations[n % ORGANIZATIONS]));
  const servers = pools.map(serverOn);

  const began = performance.now();
  let settled = false;
  const mutations = Promise.all(
    Array.from({ length: MUTATIONS }, (_, n) => {
      const server = servers[n % SERVERS] as ReturnType<typeof serverOn>;
      return mutation(server, accounts[n % ACCOUNTS] as Account, Math.floor(n / ACCOUNTS));
    }),
  ).finally(() => {
    settled = true;
  });
  // An auditor looks on meanwhile, by a connection of his own.
  const auditor = givenPool(db.serverUrl);
  const looks: number[] = [];
  while (!settled) {
    const { findings, rows } = await findingsOf(auditor);
    assert.deepEqual(findings, []);
    looks.push(rows);
  }
  const told = await mutations;
  const seconds = (performance.now() - began) / 1000;

  const { findings, rows, chains } = await findingsOf(auditor);
  await auditor.close(0);
  assert.deepEqual(findings, []);
  assert.deepEqual([rows, chains], [MUTATIONS, ACCOUNTS + ORGANIZATIONS]);
  for (const organizationId of organizations) assert.deepEqual(await auditFaults(db.sql, organizationId), []);

  const recorded = await db.sql<Told[]>`
    select request_id as "requestId", action, outcome from keyturn.audit_events`;
  const sorted = (rows_: readonly Told[]) =>
    rows_.map(({ requestId, action, outcome }) => `${requestId} ${action} ${outcome}`).sort();
  assert.deepEqual(sorted(recorded), sorted(told));
  const kinds = Map.groupBy(told, ({ action, outcome }) => `${action} ${outcome}`);
  assert.deepEqual([...kinds.keys()].sort(), KINDS);
  t.diagnostic(`${seconds.toFixed(1)} s, ${looks.length} looks meanwhile`);
});

/** Of each there were many. */
const KINDS = [
  "credential.create credential_limit_reached",
  "credential.create permission_denied",
  "credential.create succeeded",
  "credential.delete not_found",
  "credential.delete succeeded",
  "service_account.update succeeded",
];
