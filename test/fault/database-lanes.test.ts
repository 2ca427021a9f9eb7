import assert from "node:assert/strict";
import { after, before, beforeEach, type TestContext, test } from "node:test";
import { createSecureContext } from "node:tls";
import { FaultError } from "../../src/domain/fault.ts";
import { type Database, type DatabaseOptions, openDatabase } from "../../src/storage/database.ts";
import { selfSigned } from "../support/certificate.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { type PostgresProxy, startPostgresProxy } from "../support/postgres-proxy.ts";

/** Long enough that only a defect waits for it. */
const LONG_MS = 20_000;
const NOBODY_LEAVES = new AbortController().signal;

let db: TestDatabase;
before(async () => {
  db = await givenDatabase();
});
after(() => db.drop());
/** A statement outlives a connection that was cut under it; the next test must not take it for its own. */
beforeEach(() => endBackends());

for (const [word, fault] of [
  ["the deadline passes", new FaultError({ kind: "deadline_exceeded" })],
  ["the caller goes", new FaultError({ kind: "cancelled" })],
] as const) {
  test(`when ${word}, the caller is answered, the statement ends, and its connection goes on`, async (t) => {
    const pool = givenPool(t, { url: db.serverUrl });
    const pid = await backendOf(pool);
    const caller = new AbortController();
    const answer = pool.run(caller.signal, sleep);
    await eventually(() => isRunning(pid));
    caller.abort(fault);
    await rejectsWith(answer, fault.fault.kind);
    await eventually(async () => !(await isRunning(pid)));
    assert.equal(await backendOf(pool), pid);
    await eventually(() => pool.stats().inUse === 0);
  });
}

test("a caller is answered although nobody can be reached to cancel his statement, and no rejection goes unhandled", async (t) => {
  const proxy = await givenProxy(t);
  const pool = givenPool(t, { url: proxy.url, cancelGraceMs: 100 });
  await backendOf(pool);
  const caller = new AbortController();
  const answer = pool.run(caller.signal, sleep);
  await eventually(isSleeping);
  proxy.refuse();
  caller.abort();
  // An unhandled rejection fails the test by itself.
  await rejectsWith(answer, "cancelled");
  await eventually(() => pool.stats().inUse === 0);
  await rejectsWith(pool.run(NOBODY_LEAVES, sleep), "unavailable");
  await proxy.listen();
  await backendOf(pool);
});

test("few statements are cancelled that end by themselves a moment after their callers have gone", async (t) => {
  const proxy = await givenProxy(t);
  const pool = givenPool(t, { url: proxy.url, cancelGraceMs: LONG_MS });
  const pid = await backendOf(pool);
  for (let count = 0; count < 20; count += 1) {
    const caller = new AbortController();
    const answer = pool.run(caller.signal, (sql) => sql`select 1`);
    // In the next turn it has been sent, and its answer has not come.
    await new Promise((resolve) => setImmediate(resolve));
    caller.abort();
    await rejectsWith(answer, "cancelled");
    await eventually(() => pool.stats().inUse === 0);
  }
  assert.equal(await backendOf(pool), pid);
  assert.ok(proxy.cancels() <= 10, `${proxy.cancels()} were cancelled`);
});

test("a late cancel request never meets the next caller's statement", async (t) => {
  const proxy = await givenProxy(t);
  const pool = givenPool(t, { url: proxy.url, cancelGraceMs: 200 });
  const pid = await backendOf(pool);
  const caller = new AbortController();
  await db.sql`select pg_advisory_lock(7)`;
  const answer = pool.run(caller.signal, (sql) => sql`select pg_advisory_lock_shared(7)`);
  await eventually(() => isRunning(pid));
  proxy.mode("silent_to_new");
  caller.abort();
  await rejectsWith(answer, "cancelled");
  await eventually(() => proxy.cancels() === 1);
  await db.sql`select pg_advisory_unlock(7)`;
  await eventually(async () => !(await isRunning(pid)));

  // The statement has ended by itself; its cancel request is still under way when the next one comes.
  const next = pool.run(NOBODY_LEAVES, (sql) => sql`select pg_sleep(0.5)`);
  next.catch(() => {});
  await eventually(async () => proxy.connections() === 3 || (await isSleeping()));
  proxy.mode("pass");
  await next;
});

test("over TLS, too, a cancelled statement gives its connection back", async (t) => {
  const proxy = await givenProxy(t, true);
  const pool = givenPool(t, { url: proxy.url });
  const pid = await backendOf(pool);
  const caller = new AbortController();
  const answer = pool.run(caller.signal, sleep);
  await eventually(() => isRunning(pid));
  caller.abort();
  await rejectsWith(answer, "cancelled");
  assert.equal(await backendOf(pool), pid);
});

test("a connection that falls silent is given up and replaced, and its callers hear by their deadline", async (t) => {
  const proxy = await givenProxy(t);
  const pool = givenPool(t, { url: proxy.url, cancelGraceMs: 100, connectTimeoutMs: 500 });
  const pid = await backendOf(pool);
  proxy.mode("silent");
  const answer = pool.run(deadline(200), sleep);
  await rejectsWith(answer, "deadline_exceeded");
  await eventually(() => pool.stats().inUse === 0);
  proxy.mode("pass");
  assert.notEqual(await backendOf(pool), pid);
});

test("a caller who goes while the connection opens leaves a lane that works", async (t) => {
  const proxy = await givenProxy(t);
  const pool = givenPool(t, { url: proxy.url });
  proxy.mode("silent");
  const caller = new AbortController();
  const answer = pool.run(caller.signal, sleep);
  await eventually(() => proxy.connections() === 1);
  caller.abort();
  await rejectsWith(answer, "cancelled");
  proxy.mode("pass");
  await backendOf(pool);
});

test("a connection that does not open in time is given up, and its caller told that nothing was done", async (t) => {
  const proxy = await givenProxy(t);
  // As long as a slow machine needs to open one when nothing is wrong.
  const pool = givenPool(t, { url: proxy.url, connectTimeoutMs: 3_000 });
  proxy.mode("silent");
  const fault = await rejectsWith(pool.run(NOBODY_LEAVES, sleep), "unavailable");
  assert.deepEqual({ part: fault.part, inDoubt: fault.inDoubt }, { part: "database", inDoubt: false });
  proxy.mode("pass");
  await backendOf(pool);
});

test("a connection that is lost under a statement leaves its caller in doubt, and is replaced", async (t) => {
  const proxy = await givenProxy(t);
  const pool = givenPool(t, { url: proxy.url });
  for (const lose of [proxy.cut, endBackends]) {
    const answer = pool.run(NOBODY_LEAVES, sleep);
    answer.catch(() => {});
    await eventually(isSleeping);
    await lose();
    const fault = await rejectsWith(answer, "unavailable");
    assert.deepEqual({ part: fault.part, inDoubt: fault.inDoubt }, { part: "database", inDoubt: true });
    await endBackends();
    await backendOf(pool);
  }
});

test("more callers than connections and queue are shed at once, and those who queue after their wait", async (t) => {
  const pool = givenPool(t, { url: db.serverUrl, connectionsMax: 2, queueMax: 3, queueWaitMsMax: 300 });
  const leaving = new AbortController();
  const running = [pool.run(leaving.signal, sleep), pool.run(leaving.signal, sleep)];
  const queued = Array.from({ length: 3 }, () => pool.run(NOBODY_LEAVES, sleep));
  const startedAt = performance.now();
  const overflow = pool.run(NOBODY_LEAVES, sleep);
  const first = await Promise.race([...queued, overflow].map((answer, index) => answer.catch(() => index)));
  assert.equal(first, 3, "the one that found the queue full is answered before those in it");
  for (const answer of [overflow, ...queued]) {
    const fault = await rejectsWith(answer, "unavailable");
    assert.deepEqual(
      { part: fault.part, inDoubt: fault.inDoubt },
      { part: "database_queue", inDoubt: false },
    );
  }
  assert.ok(performance.now() - startedAt >= 290);
  assert.deepEqual(pool.stats(), { connections: 2, inUse: 2, queued: 0, shed: 4 });
  leaving.abort();
  for (const answer of running) await rejectsWith(answer, "cancelled");
  await eventually(() => pool.stats().inUse === 0);
  await backendOf(pool);
});

test("a flood of one group leaves half of the queue to others", async (t) => {
  const pool = givenPool(t, { url: db.serverUrl, connectionsMax: 1, queueMax: 4, queueWaitMsMax: LONG_MS });
  const leaving = new AbortController();
  const running = pool.run(leaving.signal, sleep);
  const flood = Array.from({ length: 10 }, () => pool.run(leaving.signal, sleep, "flooding"));
  for (const answer of flood.slice(2))
    assert.equal((await rejectsWith(answer, "unavailable")).part, "database_queue");
  assert.equal(pool.stats().queued, 2);
  const other = pool.run(leaving.signal, sleep, "other");
  assert.equal(pool.stats().queued, 3);
  leaving.abort();
  for (const answer of [running, ...flood.slice(0, 2), other]) await rejectsWith(answer, "cancelled");
});

test("a caller who goes while he queues is answered at once and takes no connection", async (t) => {
  const pool = givenPool(t, { url: db.serverUrl, queueWaitMsMax: LONG_MS });
  const first = new AbortController();
  const running = pool.run(first.signal, sleep);
  const second = new AbortController();
  const queued = pool.run(second.signal, sleep);
  second.abort();
  await rejectsWith(queued, "cancelled");
  assert.equal(pool.stats().queued, 0);
  first.abort();
  await rejectsWith(running, "cancelled");
  await backendOf(pool);
});

const sleep = (sql: Parameters<Parameters<Database["run"]>[1]>[0]) => sql`select pg_sleep(${LONG_MS / 1000})`;

/** One connection, unless told otherwise, so that every statement meets what the one before it left. */
function givenPool(t: TestContext, options: Partial<DatabaseOptions> & { readonly url: string }): Database {
  const pool = openDatabase({
    connectionsMax: 1,
    connectionsOfGroupMax: 2,
    groupWaitMsMax: 5_000,
    queueMax: 100,
    queueWaitMsMax: LONG_MS,
    statementTimeoutMs: LONG_MS,
    lockTimeoutMs: LONG_MS,
    cancelGraceMs: LONG_MS,
    connectTimeoutMs: LONG_MS,
    ...options,
  });
  t.after(() => pool.close(0));
  return pool;
}

async function givenProxy(t: TestContext, isSecure = false): Promise<PostgresProxy> {
  const secure = isSecure ? createSecureContext(selfSigned()) : undefined;
  const proxy = await startPostgresProxy(db.serverUrl, secure);
  t.after(() => proxy.stop());
  return proxy;
}

async function backendOf(pool: Database): Promise<number> {
  const [row] = await pool.run<{ pid: number }>(NOBODY_LEAVES, (sql) => sql`select pg_backend_pid() as pid`);
  return row?.pid ?? 0;
}

/** Asked of the server's own view of its statements. */
async function isRunning(pid: number): Promise<boolean> {
  const rows = await db.sql`select from pg_stat_activity where pid = ${pid} and state = 'active'`;
  return rows.length > 0;
}

async function isSleeping(): Promise<boolean> {
  const rows = await db.sql`
    select from pg_stat_activity where datname = ${db.name} and state = 'active' and wait_event = 'PgSleep'`;
  return rows.length > 0;
}

async function endBackends(): Promise<void> {
  await db.sql`
    select pg_terminate_backend(pid, ${LONG_MS}) from pg_stat_activity
     where datname = ${db.name} and pid <> pg_backend_pid()`;
}

function deadline(afterMs: number): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(new FaultError({ kind: "deadline_exceeded" })), afterMs);
  return controller.signal;
}

interface SeenFault {
  readonly kind: string;
  readonly part?: string;
  readonly inDoubt?: boolean;
}

async function rejectsWith(answer: Promise<unknown>, kind: string): Promise<SeenFault> {
  try {
    await answer;
  } catch (err) {
    assert.ok(err instanceof FaultError, String(err));
    assert.equal(err.fault.kind, kind);
    return err.fault;
  }
  throw new Error("the statement succeeded");
}
