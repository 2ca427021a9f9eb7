import { setTimeout as delay } from "node:timers/promises";
import { percentileOf } from "../../bench/support/spread.ts";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import type { GrpcFailure } from "../../test/support/clients.ts";
import { inParallel } from "./pace.ts";
import type { Rpc } from "./rpc.ts";

/** Who creates credentials, and where. */
export interface Creator {
  readonly rpc: Rpc;
  readonly token: () => Promise<string>;
  /** By turns, so that none comes near its limit. */
  readonly accounts: readonly string[];
}

/** What became of the creates that were begun in one stretch of time. */
export interface Outcomes {
  readonly begun: number;
  readonly done: number;
  /** Told to come again, and when. */
  readonly deferred: number;
  /** How soon they were told. */
  readonly deferredP50Ms: number;
  readonly deferredP99Ms: number;
  /** In words, each once. */
  readonly others: readonly string[];
  readonly otherCount: number;
  readonly perSecond: number;
}

const STEP_MS = 20;
let turn = 0;

async function createOne({ rpc, token, accounts }: Creator): Promise<GrpcFailure | undefined> {
  turn += 1;
  const serviceAccountId = accounts[turn % accounts.length] as string;
  const { createCredential } = CredentialService.method;
  const answer = await rpc.call(
    createCredential,
    { serviceAccountId },
    { token: await token(), timeoutMs: 20_000 },
  );
  return "failure" in answer ? answer.failure : undefined;
}

function tally() {
  const others = new Map<string, number>();
  const deferred: number[] = [];
  let [begun, done] = [0, 0];
  const deferredMs = (part: number) => Math.round(percentileOf(deferred, part));
  return {
    async add(creator: Creator): Promise<void> {
      begun += 1;
      const since = performance.now();
      const failure = await createOne(creator);
      const hasDelay = failure?.details.some(({ $typeName }) => $typeName === "google.rpc.RetryInfo");
      if (failure === undefined) done += 1;
      else if (failure.reason === "OVERLOADED" && hasDelay) deferred.push(performance.now() - since);
      else {
        const word = `${failure.reason ?? `code ${failure.code}`}${hasDelay ? "" : " without RetryInfo"}`;
        others.set(word, (others.get(word) ?? 0) + 1);
      }
    },
    outcomes(tookMs: number): Outcomes {
      const otherCount = [...others.values()].reduce((sum, count) => sum + count, 0);
      return {
        begun,
        done,
        deferred: deferred.length,
        deferredP50Ms: deferredMs(0.5),
        deferredP99Ms: deferredMs(0.99),
        others: [...others.keys()],
        otherCount,
        perSecond: (done * 1000) / tookMs,
      };
    },
  };
}

/** As many at a time, each after the one before: what the service can do. */
export async function closedLoop(creator: Creator, workers: number, count: number): Promise<Outcomes> {
  const since = performance.now();
  const told = tally();
  await inParallel(workers, count, () => told.add(creator));
  return told.outcomes(performance.now() - since);
}

/** So many a second, whatever becomes of those before. */
export async function openLoop(creator: Creator, perSecond: number, durationMs: number): Promise<Outcomes> {
  const since = performance.now();
  const told = tally();
  const running: Promise<void>[] = [];
  for (;;) {
    const tookMs = performance.now() - since;
    if (tookMs >= durationMs) break;
    while (running.length < (tookMs * perSecond) / 1000) running.push(told.add(creator));
    await delay(STEP_MS);
  }
  const offeredMs = performance.now() - since;
  await Promise.all(running);
  // Those that were still under way at the end were done after it.
  return told.outcomes(Math.max(offeredMs, performance.now() - since));
}
