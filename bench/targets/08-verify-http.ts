import { CREDENTIALS, givenOneAndTwo, verifyByBetterAuth, verifyOverHttp } from "../support/checks.ts";
import { startBetterAuth, withoutPeers } from "../support/peers.ts";
import type { Target } from "../support/target.ts";
import { P99, RATE, ratioRow } from "../support/turns.ts";

const P99_SPREAD_MAX = 2.5;

/** A check over HTTP/1.1 against a check of an API key elsewhere. */
export const target: Target = {
  number: 8,
  title: "VerifyCredential over HTTP/1.1 as JSON, 16 connections",
  quick: false,
  skip: withoutPeers,
  async run(bench) {
    const { one, two, checked } = await givenOneAndTwo(bench);
    const { verify, workers, better } = await bench.takeTurns({
      verify: verifyOverHttp("VerifyCredential", one, checked),
      workers: verifyOverHttp("VerifyCredential, two workers", two, checked),
      better: verifyByBetterAuth(await startBetterAuth(bench, CREDENTIALS)),
    });
    const against = "better-auth verifies an API key, 16 connections";
    return [
      { what: "VerifyCredential, HTTP/1.1 JSON", ours: verify },
      { what: "VerifyCredential, HTTP/1.1 JSON, `--workers 2`", ours: workers },
    ].flatMap(({ what, ours }) => [
      ratioRow(RATE, [ours, better], { what, against, bound: { atLeast: 3.5, firstGoal: 2.5 } }),
      ratioRow(P99, [ours, better], {
        what,
        against,
        bound: { atMost: 0.4, firstGoal: 0.5 },
        spreadMax: P99_SPREAD_MAX,
      }),
    ]);
  },
};
