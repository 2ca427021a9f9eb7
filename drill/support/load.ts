import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { eventually } from "../../test/support/eventually.ts";
import { type Held, isInDoubt, type Judgement, openBooks, type Verdict } from "./books.ts";
import type { Rpc } from "./rpc.ts";
import type { World } from "./world.ts";

/** Creates, rotates, deletes and checks, each caller one after another, and keeps the books of what each was told. */
export interface Load {
  /** Milliseconds from now until a create that begins from now on is acknowledged; infinitely many when none is. */
  recovery(): Promise<number>;
  /** Resolves when so many calls more have failed; to false when they do not fail. */
  failures(count: number): Promise<boolean>;
  /** How many calls have failed so far. */
  failed(): number;
  /**
   * Watches for some seconds how much it gets through, and from then on begins such a part of that, whatever becomes of the calls
   * before. With other calls than those of its callers who wait: a quarter are checks.
   * @returns how many calls a second that is.
   */
  openLoop(part: number): Promise<number>;
  /** Resolves when each call that is under way now has ended, one way or the other. */
  answered(): Promise<void>;
  stop(): Promise<void>;
  tally(): Readonly<Record<string, number>>;
  /** Compares the books with what is there, from outside. */
  judge(): Promise<Judgement>;
}

export interface LoadOptions {
  readonly workers?: number;
  /** Whether connections may break, as they do when a server ends. */
  readonly mayLoseServer?: boolean;
  /** The deadline that each caller tells. */
  readonly timeoutMs?: number;
}

/** What a patient client waits after a failure. */
const PAUSE_MS = 50;
const CAPACITY_MS = 5_000;
const STEP_MS = 20;
const { method: credential } = CredentialService;

export function startLoad(
  world: World,
  rpc: Rpc,
  accounts: readonly string[],
  { workers = 8, mayLoseServer = false, timeoutMs = 5_000 }: LoadOptions = {},
): Load {
  const books = openBooks({ mayLoseServer });
  let turn = 0;
  let isStopping = false;

  const hold = (account: string, { id, clientSecret }: { id: string; clientSecret: string }) =>
    books.live.set(id, { id, secret: clientSecret, account });

  /** When the newest of those creates that were acknowledged began. */
  let acknowledged = Number.NEGATIVE_INFINITY;
  const createOne = async (): Promise<boolean> => {
    const begunAt = performance.now();
    const account = accounts[turn++ % accounts.length] as string;
    const token = await world.token();
    const requestId = turn % 2 === 0 ? randomUUID() : "";
    const answer = await rpc.call(
      credential.createCredential,
      { serviceAccountId: account, requestId },
      { token, timeoutMs },
    );
    if ("ok" in answer) {
      hold(account, answer.ok);
      acknowledged = Math.max(acknowledged, begunAt);
      books.count("created");
      return true;
    }
    books.failed(answer.failure, account);
    return false;
  };

  /** While its end is under way nobody can say what a check has to find. */
  const endOne = async (how: "rotated" | "deleted"): Promise<boolean> => {
    const [held] = books.live.values();
    if (held === undefined) return createOne();
    books.live.delete(held.id);
    const token = await world.token();
    const named = { serviceAccountId: held.account, id: held.id };
    const answer =
      how === "rotated"
        ? await rpc.call(credential.rotateCredential, named, { token, timeoutMs })
        : await rpc.call(credential.deleteCredential, named, { token, timeoutMs });
    if ("failure" in answer) {
      books.failed(answer.failure, how === "rotated" ? held.account : undefined);
      (isInDoubt(answer.failure) ? books.unclear : books.live).set(held.id, held);
      return false;
    }
    books.ended.set(held.id, held);
    if ("clientSecret" in answer.ok) hold(held.account, answer.ok);
    books.count(how);
    return true;
  };

  const show = async ({ secret: clientSecret }: Held): Promise<Verdict> => {
    const token = await world.token();
    const answer = await rpc.call(
      VerificationService.method.verifyCredential,
      { clientSecret },
      { token, timeoutMs },
    );
    if ("ok" in answer) return answer.ok.result.case === "principal" ? "good" : "refused";
    books.failed(answer.failure);
    return undefined;
  };
  const checkOne = async (): Promise<boolean> => {
    const [held, ended] = [books.live, books.ended].map((all) => [...all.values()].at(-1 - (turn % 20)));
    const isLive = turn++ % 3 !== 0;
    const shown = isLive ? held : ended;
    if (shown === undefined) return false;
    const verdict = await show(shown);
    if (verdict === "good" && !isLive) books.broke("gone", `${shown.id} verifies after its end`);
    if (verdict === "refused" && isLive && books.live.has(shown.id))
      books.broke("truthful", `${shown.id} was acknowledged and is refused`);
    if (verdict !== undefined) books.count(verdict === "good" ? "verified" : "refused");
    return verdict !== undefined;
  };

  const workOne = (worker: number): Promise<boolean> => {
    if (worker % 4 === 3) return checkOne();
    const step = turn++ % 6;
    return step === 0 ? endOne("rotated") : step === 3 ? endOne("deleted") : createOne();
  };
  const underWay = new Set<Promise<boolean>>();
  const begin = async (worker: number): Promise<boolean> => {
    const work = workOne(worker);
    underWay.add(work);
    return work.finally(() => underWay.delete(work));
  };
  let attempts: Promise<boolean> | undefined;
  const defects: unknown[] = [];
  let done = 0;
  let isOpen = false;
  const loops = Array.from({ length: workers }, async (_, worker) => {
    while (!isStopping && !isOpen) {
      if (await begin(worker)) done += 1;
      else await delay(PAUSE_MS);
    }
  });
  const arrive = async (perSecond: number) => {
    const since = performance.now();
    for (let begun = 0; !isStopping; await delay(STEP_MS))
      for (; begun < ((performance.now() - since) * perSecond) / 1000; begun += 1)
        begin(begun).catch((err) => defects.push(err));
  };

  return {
    async recovery() {
      const since = performance.now();
      // Whoever is first: on a busy machine one caller of many may miss its deadline time after time.
      const isBack = () => acknowledged >= since;
      attempts = eventually(async () => isBack() || (await createOne())).catch(() => false);
      const heard = await Promise.race([attempts, eventually(isBack).catch(() => false)]);
      return heard ? performance.now() - since : Number.POSITIVE_INFINITY;
    },
    async failures(count) {
      const goal = books.failures() + count;
      return eventually(() => books.failures() >= goal).catch(() => false);
    },
    failed: books.failures,
    async openLoop(part) {
      const [before, since] = [done, performance.now()];
      await delay(CAPACITY_MS);
      const perSecond = (part * (done - before) * 1000) / (performance.now() - since);
      if (done === before) throw new Error("nothing succeeded that could be a load");
      isOpen = true;
      loops.push(arrive(perSecond));
      return perSecond;
    },
    async answered() {
      await Promise.all(underWay);
    },
    async stop() {
      isStopping = true;
      await Promise.all([...loops, ...underWay, attempts]);
      if (defects.length > 0) throw defects[0];
    },
    tally: books.tally,
    judge: () => books.judge(world, accounts, show),
  };
}
