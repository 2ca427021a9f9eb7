import { setTimeout as delay } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { eventually } from "../../test/support/eventually.ts";
import type { Broken, Drill } from "../support/drill.ts";
import { inParallel } from "../support/pace.ts";
import { type Scene, underLoad } from "../support/under-load.ts";

const CANCELS = { quick: 60, full: 500 };
const AT_ONCE = 8;
/** From before the call has arrived until after it was done. */
const DELAY_MS_MAX = 80;
/** The promise is a tenth of a second; what is more than this is no matter of a slow machine. */
const PUNCTUAL_MS_MAX = 5_000;
/** Long enough that only a defect waits for it. */
const LOCK_TIMEOUT_MS = 30_000;
const DEADLINE_MS = 2_000;
const { createCredential } = CredentialService.method;

export const drill: Drill = {
  title: "creates are cancelled at random points, and while they wait for a row; deadlines pass there",
  invariants: ["kept", "explained", "gone", "audited", "truthful", "heard", "released", "punctual"],
  bugs: [
    {
      name: "a connection that does not come back when its caller has left",
      breaks: "released",
      file: "src/storage/database.ts",
      from: "void free.then(() => release(lane, group));",
      to: "void free.then(() => signal.aborted || release(lane, group));",
    },
    {
      name: "a statement that nobody cancels",
      breaks: "punctual",
      file: "src/storage/lane.ts",
      from: "await canceller?.(query).catch(() => {});",
      to: "await canceller;",
    },
    {
      name: "a deadline that nobody watches",
      breaks: "heard",
      file: "src/rpc/call.ts",
      from: "setTimeout(expire, deadlineAt - startedAt)",
      to: "setTimeout(expire, 3_600_000)",
    },
  ],
  run: (run) => {
    const beside = async ({ cluster }: Scene["world"]) => ({
      DATABASE_URL: `${cluster.serverUrl}?lock_timeout=${LOCK_TIMEOUT_MS}`,
    });
    return underLoad(run, { beside, workers: 4 }, async (scene) => {
      const cancels = run.quick ? CANCELS.quick : CANCELS.full;
      const broken = await cancelAtRandom(scene, cancels);
      const rounds = cancels / 20;
      let worstMs = 0;
      for (let round = 0; round < rounds; round += 1) {
        const found = await leaveAtTheLock(scene, round % 2 === 0 ? "cancel" : "deadline");
        broken.push(...found.broken);
        worstMs = Math.max(worstMs, found.tookMs);
      }
      return {
        did: `${cancels} cancels, and ${rounds} at a row's lock`,
        broken,
        figures: `the last statement ended ${Math.round(worstMs)} ms after its caller had left`,
      };
    });
  },
};

/** Whoever cancels does not know; what is there is whole, and no more than was asked for. */
async function cancelAtRandom({ world, rpc }: Scene, cancels: number): Promise<Broken[]> {
  const accounts = await world.accounts(cancels);
  const told = new Map<string, "done" | "unknown" | "not done">();
  await inParallel(AT_ONCE, cancels, async (n) => {
    const serviceAccountId = accounts[n] as string;
    const caller = new AbortController();
    const token = await world.token();
    const call = rpc.call(createCredential, { serviceAccountId }, { token, signal: caller.signal });
    await delay(Math.random() * DELAY_MS_MAX);
    caller.abort();
    const answer = await call;
    const isCancelled = "failure" in answer && answer.failure.code === Code.Canceled;
    told.set(serviceAccountId, "ok" in answer ? "done" : isCancelled ? "unknown" : "not done");
  });
  const count = async (account: string): Promise<number> => {
    const rows = await world.sql`select from keyturn.credentials where service_account_id = ${account}`;
    return rows.length;
  };
  const broken: Broken[] = [];
  for (const [account, word] of told) {
    const rows = await count(account);
    if (word === "done" && rows !== 1) broken.push({ invariant: "kept", sentence: `${account} has ${rows}` });
    if (rows > (word === "not done" ? 0 : 1))
      broken.push({ invariant: "explained", sentence: `${account} has ${rows}, and was told ${word}` });
  }
  return broken;
}

/** A create waits for a row that somebody else holds, and its caller leaves: the statement has to end with him. */
async function leaveAtTheLock(
  { world, rpc }: Scene,
  how: "cancel" | "deadline",
): Promise<{ readonly broken: Broken[]; readonly tookMs: number }> {
  const [serviceAccountId = ""] = await world.accounts(1);
  const holder = world.cluster.connect();
  await holder.unsafe("begin");
  await holder`select from keyturn.service_accounts where id = ${serviceAccountId} for update`;
  const [{ pid } = { pid: 0 }] = await holder<{ pid: number }[]>`select pg_backend_pid() as pid`;
  const isWaiting = async () => {
    const rows = await world.sql`select from pg_stat_activity where ${pid} = any (pg_blocking_pids(pid))`;
    return rows.length > 0;
  };
  const caller = new AbortController();
  const token = await world.token();
  const ask = (timeoutMs: number) =>
    rpc.call(createCredential, { serviceAccountId }, { token, timeoutMs, signal: caller.signal });
  let call = ask(how === "deadline" ? DEADLINE_MS : LOCK_TIMEOUT_MS);
  // On a slow machine a deadline may pass on the way there.
  for (let tries = 2; !(await Promise.race([eventually(isWaiting), call.then(() => false)])); tries += 1)
    call = ask(tries * DEADLINE_MS);
  if (how === "cancel") caller.abort();
  const answer = await call;
  const since = performance.now();
  while ((await isWaiting()) && performance.now() - since < PUNCTUAL_MS_MAX) await delay(5);
  const tookMs = performance.now() - since;
  const broken: Broken[] = [];
  if (await isWaiting())
    broken.push({ invariant: "punctual", sentence: `after a ${how} the statement goes on` });
  if (how === "deadline" && !("failure" in answer && answer.failure.code === Code.DeadlineExceeded))
    broken.push({
      invariant: "heard",
      sentence: "a deadline that passed at a lock was told as something else",
    });
  await holder.unsafe("rollback");
  await holder.end({ timeout: 1 });
  return { broken, tookMs };
}
