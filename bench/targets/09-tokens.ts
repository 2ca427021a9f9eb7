import type { Bench } from "../support/bench.ts";
import { CREDENTIALS, givenOneAndTwo } from "../support/checks.ts";
import { hydraVersion, startHydra } from "../support/hydra.ts";
import { keycloakVersion, startKeycloak } from "../support/keycloak.ts";
import { startOidcProvider, withoutPeers } from "../support/peers.ts";
import type { Bound, Row, Target } from "../support/target.ts";
import { mintTokens, ourTokens, type TokenEndpoint } from "../support/tokens.ts";
import { type Contender, RATE, ratioRow } from "../support/turns.ts";

interface Other {
  readonly name: string;
  version(): string | undefined;
  start(bench: Bench, clientCount: number): Promise<TokenEndpoint>;
}

const isInstalled = ({ version }: Other): boolean => version() !== undefined;

const OURS = [
  { name: "tokens", what: "tokens" },
  { name: "workers", what: "tokens, `--workers 2`" },
];

/** Providers in other languages: no bound is set for them. */
const OTHERS: readonly Other[] = [
  { name: "Ory Hydra", version: hydraVersion, start: startHydra },
  { name: "Keycloak", version: keycloakVersion, start: startKeycloak },
];

/** The token endpoint against other providers', on the same PostgreSQL and with keys of the same kind. */
export const target: Target = {
  number: 9,
  title: "tokens, ES256, 16 connections",
  quick: false,
  skip: withoutPeers,
  without: () =>
    OTHERS.filter((other) => !isInstalled(other)).map(
      ({ name }) => `${name} is not installed: bench/peers/install`,
    ),
  async run(bench) {
    const { one, two, checked } = await givenOneAndTwo(bench);
    const others: Record<string, Contender> = {};
    for (const { name, start } of OTHERS.filter(isInstalled))
      others[name] = await mintTokens(name, await start(bench, CREDENTIALS));
    const rounds = await bench.takeTurns<string>({
      tokens: await mintTokens("tokens", ourTokens(one, checked)),
      workers: await mintTokens("tokens, two workers", ourTokens(two, checked)),
      "oidc-provider": await mintTokens("oidc-provider", await startOidcProvider(bench, CREDENTIALS)),
      ...others,
    });
    const against = (other: string, bound?: Bound): Row[] =>
      OURS.map(({ name, what }) =>
        ratioRow(RATE, [rounds[name] ?? [], rounds[other] ?? []], {
          what,
          against: `${other}'s tokens`,
          ...(bound === undefined ? {} : { bound }),
        }),
      );
    return [
      ...against("oidc-provider", { atLeast: 2, firstGoal: 1.5 }),
      ...Object.keys(others).flatMap((other) => against(other)),
    ];
  },
};
