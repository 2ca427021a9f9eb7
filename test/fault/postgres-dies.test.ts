import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import type postgres from "postgres";
import { auditFaults } from "../support/audit.ts";
import { type Callers, openCallers } from "../support/callers.ts";
import type { GrpcFailure } from "../support/clients.ts";
import { startCluster, type TestCluster } from "../support/cluster.ts";
import { givenAccount } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { environment } from "../support/keyturn.ts";
import { type ServerProcess, startServer } from "../support/process.ts";

const KILLS = 100;
const CALLERS = 16;
const ACCOUNTS = 4_000;
const LIMIT = 5;
const SKIP = process.platform === "win32" ? "needs the signals of POSIX" : false;

let cluster: TestCluster;
let issuer: TestIssuer;
let server: ServerProcess;
let callers: Callers;
let organizationId: string;
let token: string;

before(async () => {
  if (SKIP !== false) return;
  cluster = await startCluster();
  issuer = await startIssuer();
  // Of development are its hashes alone: they cost nothing, so that the database is all the work.
  server = await startServer(environment(cluster.ownerUrl, issuer.url), { mode: "development" });
  callers = openCallers(server.addresses.grpc, 2);
  organizationId = await asSuperuser(async (sql) => (await givenAccount(sql)).organizationId);
  token = await issuer.sign({
    claims: { tenant_id: organizationId, roles: ["admin"], sub: "user-admin-001" },
  });
});
after(async () => {
  callers?.close();
  await server?.stop();
  await issuer?.stop();
  await cluster?.stop();
});

test(`${KILLS} killed backends and a killed PostgreSQL end no process, lose nothing acknowledged, and leave every row its audit row`, {
  skip: SKIP,
}, async (t) => {
  const load = startLoad(await asSuperuser(freshAccounts));
  await asSuperuser(async (sql) => {
    for (let kills = 0; kills < KILLS; kills += 1) {
      await load.progress();
      await eventually(() => killBackend(sql));
    }
  });
  const backendsKilled = load.tally();
  await load.progress();

  await cluster.kill();
  await load.failure(Code.Unavailable);
  assert.equal(server.isRunning(), true);
  await cluster.restart();
  await load.progress();
  await load.stop();

  t.diagnostic(
    `after ${KILLS} kills: ${JSON.stringify(backendsKilled)}; at the end: ${JSON.stringify(load.tally())}`,
  );
  assert.equal(server.isRunning(), true);
  assert.deepEqual(load.nonsense(), []);
  await asSuperuser(async (sql) => {
    assert.deepEqual(await accountingFaults(sql, load), []);
    assert.deepEqual(await auditFaults(sql, organizationId), []);
  });
});

test("while PostgreSQL stands still callers hear by their deadline, and when it goes on so does the service", {
  skip: SKIP,
}, async (t) => {
  const accounts = await asSuperuser(async (sql) => {
    const given = await Promise.all(Array.from({ length: 30 }, () => givenAccount(sql, organizationId)));
    return given.map(({ id }) => id);
  });
  // Every connection is open and at work when the world stops.
  const opening = await Promise.all(accounts.slice(0, 10).map((id) => callers.create(id, token)));
  assert.deepEqual(new Set(opening.map(({ kind }) => kind)), new Set(["created"]));

  const stopped = await asSuperuser(serverProcesses);
  const resume = () => {
    for (const pid of stopped.splice(0)) process.kill(pid, "SIGCONT");
  };
  t.after(resume);
  for (const pid of stopped) process.kill(pid, "SIGSTOP");
  const outcomes = await Promise.all(
    accounts.slice(10).map((id) => callers.create(id, token, { timeoutMs: 500 })),
  );
  const codes = outcomes.map((outcome) => (outcome.kind === "refused" ? outcome.failure.code : Code[0]));
  for (const code of codes)
    assert.ok(code === Code.DeadlineExceeded || code === Code.Unavailable, String(code));
  assert.ok(codes.includes(Code.DeadlineExceeded));
  resume();

  await eventually(async () => (await callers.create(accounts[0] as string, token)).kind === "created");
  assert.equal(server.isRunning(), true);
  assert.deepEqual(await asSuperuser((sql) => auditFaults(sql, organizationId)), []);
});

interface Load {
  /** Resolves once another create, which began after this call, has been acknowledged. */
  progress(): Promise<void>;
  /** Resolves once another call has failed with this code. */
  failure(code: Code): Promise<void>;
  stop(): Promise<void>;
  tally(): Readonly<Record<string, number>>;
  /** Failures that a database in trouble must never look like. */
  nonsense(): readonly GrpcFailure[];
  /** Ids of the credentials that were acknowledged, by account. */
  readonly acknowledged: ReadonlyMap<string, readonly string[]>;
  /** How many creates of an account may have taken effect without an answer that says so. */
  readonly inDoubt: ReadonlyMap<string, number>;
}

const SENSIBLE = new Set([
  "DATABASE_UNAVAILABLE",
  "OVERLOADED",
  "LOCK_TIMEOUT",
  "DEADLINE_EXCEEDED",
  "CREDENTIAL_LIMIT_REACHED",
]);

/** Creates without a pause, by many callers over many accounts, and keeps the books. */
function startLoad(accounts: readonly string[]): Load {
  const acknowledged = new Map<string, string[]>(accounts.map((id) => [id, []]));
  const inDoubt = new Map<string, number>();
  const failures: GrpcFailure[] = [];
  const counts: Record<string, number> = { created: 0 };
  let next = 0;
  let isStopping = false;

  const createOnce = async () => {
    const accountId = accounts[next++ % accounts.length] as string;
    const outcome = await callers.create(accountId, token, { timeoutMs: 5_000 });
    const word =
      outcome.kind === "created" ? "created" : `${outcome.failure.reason}${doubt(outcome.failure)}`;
    counts[word] = (counts[word] ?? 0) + 1;
    if (outcome.kind === "created") {
      acknowledged.get(accountId)?.push(outcome.created.id);
      return;
    }
    failures.push(outcome.failure);
    if (isInDoubt(outcome.failure)) inDoubt.set(accountId, (inDoubt.get(accountId) ?? 0) + 1);
    // What a patient client does; without it a dead database would be asked thousands of times a second.
    await delay(5);
  };
  const loops = Array.from({ length: CALLERS }, async () => {
    while (!isStopping) await createOnce();
  });
  return {
    acknowledged,
    inDoubt,
    async progress() {
      // So many that at least one of them began after this call.
      const goal = (counts["created"] ?? 0) + CALLERS + 1;
      await eventually(() => (counts["created"] ?? 0) >= goal);
    },
    async failure(code) {
      const seen = failures.length;
      await eventually(() => failures.slice(seen).some((failure) => failure.code === code));
    },
    async stop() {
      isStopping = true;
      await Promise.all(loops);
    },
    tally: () => ({ ...counts }),
    nonsense: () => failures.filter(({ reason }) => !SENSIBLE.has(reason ?? "")),
  };
}

const isInDoubt = ({ reason, metadata }: GrpcFailure): boolean =>
  reason === "DEADLINE_EXCEEDED" || metadata["in_doubt"] === "true";

const doubt = (failure: GrpcFailure): string => (isInDoubt(failure) ? " (in doubt)" : "");

/** What is wrong between the callers' books and the table, in words. */
async function accountingFaults(sql: postgres.Sql, load: Load): Promise<string[]> {
  const rows = await sql<{ account: string; ids: string[] }[]>`
    select service_account_id as account, array_agg(id) as ids from keyturn.credentials
     where organization_id = ${organizationId} group by 1`;
  const present = new Map(rows.map(({ account, ids }) => [account, new Set(ids)]));
  const faults: string[] = [];
  for (const [account, acknowledged] of load.acknowledged) {
    const found = present.get(account) ?? new Set();
    const lost = acknowledged.filter((id) => !found.has(id));
    if (lost.length > 0) faults.push(`lost: ${lost}`);
    const unexplained = found.size - acknowledged.length - (load.inDoubt.get(account) ?? 0);
    if (unexplained > 0) faults.push(`${account} has ${unexplained} that nobody was told of`);
    if (found.size > LIMIT) faults.push(`${account} has ${found.size}`);
  }
  return faults;
}

/** Ends one connection of the server's, at work if there is one; false when there is none at all. */
async function killBackend(sql: postgres.Sql): Promise<boolean> {
  const [row] = await sql<{ killed: boolean }[]>`
    select pg_terminate_backend(pid) as killed from pg_stat_activity
     where application_name = 'keyturn' order by state = 'active' desc, random() limit 1`;
  return row?.killed === true;
}

/** The postmaster, and every process of it that works for the server. */
async function serverProcesses(sql: postgres.Sql): Promise<number[]> {
  const rows = await sql<
    { pid: number }[]
  >`select pid from pg_stat_activity where application_name = 'keyturn'`;
  return [cluster.pid(), ...rows.map(({ pid }) => pid)];
}

async function freshAccounts(sql: postgres.Sql): Promise<string[]> {
  const rows = await sql<{ id: string }[]>`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    select ${organizationId}, 'sa-load-' || n, 'Load', ${organizationId}, 'test' from generate_series(1, ${ACCOUNTS}::int) n
    returning id`;
  return rows.map(({ id }) => id);
}

async function asSuperuser<T>(work: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = cluster.connect();
  try {
    return await work(sql);
  } finally {
    await sql.end({ timeout: 1 });
  }
}
