import type { Bench } from "../support/bench.ts";
import { verifyOverGrpc } from "../support/checks.ts";
import { getRequest, runHttpLoad } from "../support/http-load.ts";
import { createByFunctionAmong, pgbench, withoutPgbench } from "../support/pgbench.ts";
import { issue } from "../support/rest.ts";
import { givenRows, type Scale } from "../support/scale.ts";
import type { Target } from "../support/target.ts";
import { type Contender, RATE, ratioRow } from "../support/turns.ts";

const SMALL: Scale = { accounts: 1_000, organizations: 10 };
const LARGE: Scale = { accounts: 1_000_000, organizations: 10_000 };
/** To see that it runs. */
const SHORT: Scale = { accounts: 20_000, organizations: 200 };
const SECRETS = 200;
const CONNECTIONS = 16;

/** A thousand times the rows. */
export const target: Target = {
  number: 13,
  title: "10⁶ accounts with 5·10⁶ credentials against a thousandth of them",
  quick: false,
  isLong: true,
  skip: withoutPgbench,
  async run(bench) {
    const large = await waysAt(bench, bench.isShort ? SHORT : LARGE);
    const small = await waysAt(bench, SMALL);
    const against = "the same among 10³ accounts";
    const compare = async (way: keyof typeof small, what: string, atLeast: number) => {
      const rounds = await bench.takeTurns({ large: large[way], small: small[way] });
      return ratioRow(RATE, [rounds.large, rounds.small], { what, against, bound: { atLeast } });
    };
    return [
      await compare("create", "create in storage, by pgbench, 8 clients", 0.9),
      await compare("verify", `VerifyCredential, gRPC, ${SECRETS} secrets`, 0.85),
      await compare("accounts", "a page of 50 accounts, REST", 0.85),
      await compare("credentials", "a page of an account's credentials, REST", 0.85),
    ];
  },
};

type Way = "create" | "verify" | "accounts" | "credentials";

async function waysAt(bench: Bench, scale: Scale): Promise<Readonly<Record<Way, Contender>>> {
  const database = await bench.database();
  await givenRows(database, scale);
  const server = await bench.serve(database);
  const token = await bench.token("org-1", ["admin", "verifier"]);
  const url = `http://${server.http}`;
  const listed = (path: (n: number) => string): Contender => {
    const headers = { authorization: `Bearer ${token}` };
    const requests = Array.from({ length: scale.accounts / scale.organizations }, (_, n) =>
      getRequest(url, `/v1/regions/global/iam/service-accounts${path(n)}`, headers),
    );
    const load = { url, requests, connections: CONNECTIONS };
    return { name: "list", serverPid: server.pid, run: (durationMs) => runHttpLoad(load, durationMs) };
  };
  /** Those of the organization are a hundred, spread over the whole table. */
  const accountOf = (n: number) => `sa-${1 + n * scale.organizations}`;
  const secrets: string[] = [];
  for (let n = 0; n < SECRETS; n += 1)
    secrets.push(
      (await issue(server, token, accountOf(n % (scale.accounts / scale.organizations)))).clientSecret,
    );
  return {
    create: pgbench(bench, database, "create", {
      scripts: [{ text: createByFunctionAmong(scale), weight: 1 }],
      clients: 8,
    }),
    verify: verifyOverGrpc("verify", server.pid, server.grpc, { token, secrets }),
    accounts: listed(() => "?pageSize=50"),
    credentials: listed((n) => `/${accountOf(n)}/credentials?pageSize=50`),
  };
}
