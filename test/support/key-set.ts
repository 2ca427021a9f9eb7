import type { TestContext } from "node:test";
import type { KeySetDeps, KeySetRefresh } from "../../src/auth/key-set-deps.ts";
import { remoteKeySet } from "../../src/auth/remote-key-set.ts";
import { type IssuerOptions, startIssuer } from "./issuer.ts";
import { manualClock } from "./manual-clock.ts";

/** An issuer of the test's own and its key set, on a clock that moves when told to and with chance always at one half. */
export async function givenKeySet(
  t: TestContext,
  options: { issuer?: IssuerOptions; deps?: KeySetDeps } = {},
) {
  const clock = manualClock();
  const issuer = await startIssuer({ now: clock.now, ...options.issuer });
  const outcomes: KeySetRefresh[] = [];
  let waiting = Promise.withResolvers<KeySetRefresh>();
  const keySet = remoteKeySet(issuer.url, {
    now: clock.now,
    after: clock.after,
    random: () => 0.5,
    onRefresh: (outcome) => {
      outcomes.push(outcome);
      waiting.resolve(outcome);
      waiting = Promise.withResolvers();
    },
    ...options.deps,
  });
  t.after(async () => {
    keySet.close();
    await issuer.stop();
  });
  return {
    clock,
    issuer,
    keySet,
    /** The end of every attempt so far. */
    outcomes,
    /** Moves the clock to the next attempt that is due and waits for its end. */
    nextRefresh: async (): Promise<KeySetRefresh> => {
      const ended = waiting.promise;
      clock.advanceToTimer();
      return ended;
    },
    /** How often the key set itself was asked for. */
    keyRequestCount: () => issuer.requests.filter((path) => path === "/keys").length,
  };
}

/** What went wrong with an attempt; undefined when nothing did. */
export const problemOf = (outcome: KeySetRefresh | undefined): string | undefined =>
  outcome?.kind === "failed" ? outcome.error.problem : undefined;
