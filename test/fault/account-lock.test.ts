import assert from "node:assert/strict";
import { after, before, type TestContext, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { DEFAULT_POLICY } from "../../src/domain/policy.ts";
import { openCredentials } from "../../src/storage/credentials.ts";
import { openDatabase } from "../../src/storage/database.ts";
import { type Callers, type Outcome, openCallers } from "../support/callers.ts";
import type { GrpcFailure } from "../support/clients.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { type PostgresProxy, startPostgresProxy } from "../support/postgres-proxy.ts";
import { holdAccount } from "../support/row-lock.ts";

interface Account {
  readonly organizationId: string;
  readonly id: string;
}

let db: TestDatabase;
let proxy: PostgresProxy;
let h: TestKeyturn;
let callers: Callers;

before(async () => {
  db = await givenDatabase();
  proxy = await startPostgresProxy(db.serverUrl);
  // A slow machine must not turn a deadline that is tested into a lock time-out that is not.
  const databaseUrl = `${proxy.url}?lock_timeout=20000`;
  h = await givenKeyturn({ db, databaseUrl, env: { KEYTURN_DATABASE_CONNECTIONS_MAX: "2" } });
  callers = openCallers(h.grpcAddress);
});
after(async () => {
  callers.close();
  await h.stop();
  await proxy.stop();
  await db.drop();
});

test("a create that waits too long for its account is ABORTED, may be tried again, and has written nothing", async (t) => {
  const usual = await givenKeyturn({ db });
  const usualCallers = openCallers(usual.grpcAddress);
  t.after(async () => {
    usualCallers.close();
    await usual.stop();
  });
  const account = await usual.givenAccount();
  const token = await usual.token(account.organizationId);
  const held = await hold(t, account);
  const failure = failureOf(await usualCallers.create(account.id, token));
  assert.deepEqual([failure.code, failure.reason], [Code.Aborted, "LOCK_TIMEOUT"]);
  assert.ok(failure.details.some(({ $typeName }) => $typeName === "google.rpc.RetryInfo"));
  await held.release();
  assert.deepEqual(await rowsOf(account), { credentials: 0, events: 0 });
  assert.equal((await usualCallers.create(account.id, token)).kind, "created");
});

test("a create whose caller goes while it waits for its account ends in the database and writes nothing", async (t) => {
  const account = await h.givenAccount();
  const held = await hold(t, account);
  const caller = new AbortController();
  const answer = create(account, { signal: caller.signal });
  await eventually(() => isWaiting());
  caller.abort();
  assert.equal(failureOf(await answer).code, Code.Canceled);
  await eventually(async () => !(await isWaiting()));
  await held.release();
  assert.deepEqual(await rowsOf(account), { credentials: 0, events: 0 });
});

test("a create whose deadline passes while it waits for its account writes nothing, even if nobody can cancel it", async (t) => {
  const account = await h.givenAccount();
  assert.equal((await create(account)).kind, "created");
  const held = await hold(t, account);
  const answer = create(account, { timeoutMs: 400 });
  await eventually(() => isWaiting());
  proxy.refuse();
  t.after(() => proxy.listen());
  assert.equal(failureOf(await answer).code, Code.DeadlineExceeded);
  assert.equal(await isWaiting(), true, "the statement is still there");
  await held.release();
  await eventually(async () => !(await isWaiting()));
  assert.deepEqual(await rowsOf(account), { credentials: 1, events: 1 });
});

test("a create whose answer is lost after its commit is in doubt, and its caller told so", async (t) => {
  const account = await h.givenAccount();
  assert.equal((await create(account)).kind, "created");
  // Its statement is under way before answers are lost: a connection that had to be opened for it would lose that of its login.
  const held = await hold(t, account);
  const answer = create(account);
  await eventually(() => isWaiting());
  proxy.mode("drop_answers");
  t.after(reconnected);
  await held.release();
  await eventually(async () => (await rowsOf(account)).credentials === 2);
  proxy.cut();
  const { code, reason, metadata } = failureOf(await answer);
  assert.deepEqual([code, reason], [Code.Unavailable, "DATABASE_UNAVAILABLE"]);
  assert.equal(metadata["in_doubt"], "true");
  assert.deepEqual(await rowsOf(account), { credentials: 2, events: 2 });
});

test("callers beyond the connections are OVERLOADED after their wait, told when to come back, and write nothing", async (t) => {
  const accounts = await Promise.all(Array.from({ length: 6 }, () => h.givenAccount()));
  const held = await Promise.all(accounts.map((account) => hold(t, account)));
  const refused: GrpcFailure[] = [];
  const answers = accounts.map(async (account) => {
    const outcome = await create(account);
    if (outcome.kind === "refused") refused.push(outcome.failure);
  });
  await eventually(() => refused.length === 4);
  for (const { release } of held) await release();
  await Promise.all(answers);
  for (const failure of refused) {
    assert.deepEqual([failure.code, failure.reason], [Code.Unavailable, "OVERLOADED"]);
    assert.ok(failure.details.some(({ $typeName }) => $typeName === "google.rpc.RetryInfo"));
  }
  const rows = await Promise.all(accounts.map(rowsOf));
  assert.equal(rows.filter(({ credentials, events }) => credentials === 1 && events === 1).length, 2);
  assert.equal(rows.filter(({ credentials, events }) => credentials === 0 && events === 0).length, 4);
});

test("an account that is held up leaves connections for the others, and its own callers wait for their turn", async (t) => {
  const [busy, other] = [await h.givenAccount(), await h.givenAccount()];
  const held = await hold(t, busy);
  const waiting = Array.from({ length: 4 }, () => create(busy));
  await eventually(() => isWaiting());
  assert.equal((await create(other)).kind, "created");
  await held.release();
  assert.deepEqual(
    (await Promise.all(waiting)).map(({ kind }) => kind),
    Array(4).fill("created"),
  );
});

test("time spent on the way to a connection comes off what a create has for writing", async (t) => {
  const account = await h.givenAccount();
  const pool = openDatabase({
    url: db.serverUrl,
    connectionsMax: 1,
    connectionsOfGroupMax: 1,
    queueMax: 1,
    queueWaitMsMax: 10_000,
    groupWaitMsMax: 5_000,
    statementTimeoutMs: 10_000,
    lockTimeoutMs: 10_000,
    cancelGraceMs: 1_000,
  });
  t.after(() => pool.close(0));
  const { signal } = new AbortController();
  const busy = pool.run(signal, (sql) => sql`select pg_sleep(0.3)`);
  const ctx = {
    caller: {
      organizationId: account.organizationId,
      issuer: "issuer",
      subject: "subject",
      roles: [],
      expiresAtMs: Number.MAX_SAFE_INTEGER,
    },
    grantableRoles: "all",
    reach: "organization",
    clientAddress: undefined,
    requestId: "request",
    budgetMs: () => 200,
    signal,
  } as const;
  const wanted = {
    serviceAccountId: account.id,
    stored: { credentialId: "cred-00000000000000000000", secretHash: "$argon2id$", hint: "hint" },
    expiresAt: undefined,
    claim: undefined,
    validateOnly: false,
  };
  assert.deepEqual(await openCredentials(pool, DEFAULT_POLICY).create(ctx, wanted), {
    kind: "refused",
    fault: { kind: "deadline_exceeded" },
  });
  await busy;
  assert.deepEqual(await rowsOf(account), { credentials: 0, events: 0 });
});

async function create(
  account: Account,
  options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
): Promise<Outcome> {
  return callers.create(account.id, await h.token(account.organizationId), options);
}

function failureOf(outcome: Outcome): GrpcFailure {
  assert.equal(outcome.kind, "refused");
  return outcome.failure;
}

/** Holds the account's row until released, or until the test has ended. */
async function hold(t: TestContext, account: Account): Promise<{ release(): Promise<void> }> {
  const held = await holdAccount(db, account);
  let releasing: Promise<void> | undefined;
  const release = () => {
    releasing ??= held.release();
    return releasing;
  };
  t.after(release);
  return { release };
}

/** Whoever has connected while answers were lost waits for one that never comes: the server begins anew, and is there again. */
async function reconnected(): Promise<void> {
  proxy.mode("pass");
  proxy.cut();
  const account = await h.givenAccount();
  await eventually(async () => (await create(account)).kind === "created");
}

/** Whether a create stands at the row's lock, by the server's own view of its statements. */
async function isWaiting(): Promise<boolean> {
  const rows = await db.sql`
    select from pg_stat_activity
     where datname = ${db.name} and state = 'active' and wait_event_type = 'Lock' and query like '%create_credential%'`;
  return rows.length > 0;
}

async function rowsOf(account: Account): Promise<{ credentials: number; events: number }> {
  const [row] = await db.sql<{ credentials: number; events: number }[]>`
    select (select count(*)::int from keyturn.credentials
             where organization_id = ${account.organizationId} and service_account_id = ${account.id}) as credentials,
           (select count(*)::int from keyturn.audit_events
             where organization_id = ${account.organizationId} and service_account_id = ${account.id}) as events`;
  assert.ok(row);
  return { ...row };
}
