import { CREDENTIALS, givenOneAndTwo, mintTokens, mintTokensByOidcProvider } from "../support/checks.ts";
import { startOidcProvider, withoutPeers } from "../support/peers.ts";
import type { Target } from "../support/target.ts";
import { RATE, ratioRow } from "../support/turns.ts";

/** The token endpoint against another provider's, on the same PostgreSQL and with keys of the same kind. */
export const target: Target = {
  number: 9,
  title: "tokens, ES256, 16 connections",
  quick: false,
  skip: withoutPeers,
  async run(bench) {
    const { one, two, checked } = await givenOneAndTwo(bench);
    const { tokens, workers, oidc } = await bench.takeTurns({
      tokens: mintTokens("tokens", one, checked),
      workers: mintTokens("tokens, two workers", two, checked),
      oidc: mintTokensByOidcProvider(await startOidcProvider(bench, CREDENTIALS)),
    });
    const against = "oidc-provider's tokens";
    const bound = { atLeast: 2, firstGoal: 1.5 };
    return [
      ratioRow(RATE, [tokens, oidc], { what: "tokens", against, bound }),
      ratioRow(RATE, [workers, oidc], { what: "tokens, `--workers 2`", against, bound }),
    ];
  },
};
