import { randomUUID } from "node:crypto";
import { timestampDate, timestampFromDate } from "@bufbuild/protobuf/wkt";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { rest } from "../../test/support/clients.ts";
import { eventually } from "../../test/support/eventually.ts";
import type { ServerProcess } from "../../test/support/process.ts";
import type { Broken, Drill } from "../support/drill.ts";
import { openRpc, type Rpc } from "../support/rpc.ts";
import { givenWorld, type World } from "../support/world.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const YEAR_MS = 365 * 24 * HOUR_MS;
const CLOCK = new URL("../support/skewed-clock.ts", import.meta.url).href;
const LIMIT = 3;
/** RFC 3339 and Protobuf's Timestamp end with it. */
const LAST_SECOND_MS = Date.UTC(9999, 11, 31, 23, 59, 59);
const LAST_DAY = LAST_SECOND_MS - 12 * HOUR_MS - Date.now();

/** How far each of the two servers is from the database, in one turn after the other: they jump, forwards and back. */
const TURNS = {
  quick: { ahead: [HOUR_MS, 20 * YEAR_MS], behind: [-HOUR_MS, -2 * MINUTE_MS] },
  full: {
    ahead: [HOUR_MS, 2 * MINUTE_MS, 20 * YEAR_MS, -HOUR_MS, 70 * YEAR_MS, LAST_DAY],
    behind: [-HOUR_MS, 0, -2 * MINUTE_MS, -24 * HOUR_MS, -HOUR_MS, 0],
  },
};

export const drill: Drill = {
  title: "two servers whose clocks are wrong by minutes, hours and years, and jump",
  invariants: ["database_clock"],
  bugs: [
    {
      name: "an expiry that is judged by the server's clock",
      breaks: "database_clock",
      file: "src/storage/credential-checks.ts",
      from: "refusal: row.refusal ?? undefined,",
      to: 'refusal: row.refusal ?? (row.expires_at.getTime() <= Date.now() ? "expired" : undefined),',
    },
  ],
  async run(run) {
    await using world = await givenWorld(run);
    const turns = run.quick ? TURNS.quick : TURNS.full;
    const token = await lastingToken(world);
    const replicas = await Promise.all(
      Object.entries(turns).map(async ([name, offsetsMs]) => {
        const server = await world.serve({
          NODE_OPTIONS: `--import=${CLOCK}`,
          KEYTURN_DRILL_CLOCK_MS: offsetsMs.join(","),
          KEYTURN_ACTIVE_CREDENTIALS_MAX: String(LIMIT),
        });
        const rpc = openRpc(server.addresses.grpc);
        world.later(rpc.close);
        return { name, server, rpc };
      }),
    );
    const broken: Broken[] = [];
    for (const turn of turns.ahead.keys()) {
      for (const { server } of replicas) if (turn > 0) process.kill(server.pid, "SIGUSR2");
      for (const [index, replica] of replicas.entries()) {
        const other = replicas[1 - index] as Replica;
        for (const sentence of await faultsOf(world, token, replica, other))
          broken.push({
            invariant: "database_clock",
            sentence: `turn ${turn}, ${replica.name}: ${sentence}`,
          });
      }
    }
    return { did: `${turns.ahead.length} pairs of clocks`, broken };
  },
};

interface Replica {
  readonly name: string;
  readonly server: ServerProcess;
  readonly rpc: Rpc;
}

/** Good by every clock: how long a caller may call is judged by the server's own. */
const lastingToken = (world: World) =>
  world.issuer.sign({
    claims: {
      tenant_id: world.organizationId,
      roles: ["admin", "verifier"],
      sub: "drill",
      iat: 1,
      exp: LAST_SECOND_MS / 1000,
    },
  });

/** What one server does otherwise than the clock of the database says. */
async function faultsOf(world: World, token: string, here: Replica, there: Replica): Promise<string[]> {
  const faults: string[] = [];
  const expect = (what: string, is: unknown, wanted: unknown) => {
    if (is !== wanted) faults.push(`${what}: ${is} instead of ${wanted}`);
  };
  const { method } = CredentialService;
  const { verifyCredential } = VerificationService.method;
  const databaseNow = async () => {
    const [row] = await world.sql<{ now: Date }[]>`select clock_timestamp() as now`;
    return (row?.now ?? new Date(0)).getTime();
  };
  const shown = async ({ rpc }: Replica, clientSecret: string) => {
    const answer = await rpc.call(verifyCredential, { clientSecret }, { token });
    return "ok" in answer ? answer.ok.result.case : answer.failure.reason;
  };
  const move = (id: string, column: "expires_at" | "not_before", byMs: number) => world.sql`
    update keyturn.credentials set ${world.sql(column)} = clock_timestamp() + ${`${byMs} ms`}::interval where id = ${id}`;
  const [serviceAccountId = ""] = await world.accounts(1);
  const create = async (more: object = {}, { rpc } = here) => {
    const answer = await rpc.call(method.createCredential, { serviceAccountId, ...more }, { token });
    return "ok" in answer ? answer.ok : undefined;
  };
  const reasonOf = async (more: object) => {
    const answer = await here.rpc.call(method.createCredential, { serviceAccountId, ...more }, { token });
    return "ok" in answer ? "created" : answer.failure.reason;
  };

  const before = await databaseNow();
  const request = { requestId: randomUUID() };
  const made = await eventually(() => create(request));
  const after = await databaseNow();
  const createdAt = made.createdAt === undefined ? 0 : timestampDate(made.createdAt).getTime();
  expect("created between two looks at the clock", before <= createdAt && createdAt <= after, true);
  const again = await create(request, there);
  expect("a repetition at the other server", again?.clientSecret, made.clientSecret);

  const at = (ms: number) => ({ expiresAt: timestampFromDate(new Date(ms)) });
  expect("an end just past", await reasonOf(at(before - 1)), "EXPIRY_IN_PAST");
  const soon = await eventually(() => create(at(before + 30 * MINUTE_MS)));
  for (const server of [here, there])
    expect("within its time", await shown(server, soon.clientSecret), "principal");
  await move(soon.id, "expires_at", -1);
  for (const server of [here, there])
    expect("after its end", await shown(server, soon.clientSecret), "refusal");
  await move(made.id, "not_before", 10 * MINUTE_MS);
  for (const server of [here, there])
    expect("before its begin", await shown(server, made.clientSecret), "refusal");
  await move(made.id, "not_before", -1);
  for (const server of [here, there])
    expect("after its begin", await shown(server, made.clientSecret), "principal");

  // The one that has ended has left its place to another, and no more than one.
  for (let live = 1; live < LIMIT; live += 1) expect("below the limit", await reasonOf({}), "created");
  expect("at the limit", await reasonOf({}), "CREDENTIAL_LIMIT_REACHED");
  await move(made.id, "expires_at", 10 * MINUTE_MS);
  expect("at the limit, while one ends soon", await reasonOf({}), "CREDENTIAL_LIMIT_REACHED");

  const basic = Buffer.from(
    `${encodeURIComponent(`${serviceAccountId}@${world.organizationId}.iam`)}:${made.clientSecret}`,
  ).toString("base64");
  const httpUrl = `http://${here.server.addresses.http}`;
  const minted = await rest({ httpUrl }, "/oauth2/token", {
    method: "POST",
    headers: { authorization: `Basic ${basic}` },
    body: new URLSearchParams({ grant_type: "client_credentials" }),
  });
  expect("a token", minted.status, 200);
  const known = await rest({ httpUrl: `http://${there.server.addresses.http}` }, "/oauth2/introspect", {
    method: "POST",
    token,
    body: new URLSearchParams({ token: String(minted.body?.access_token) }),
  });
  expect("that token at the other server", known.body?.active, true);
  return faults;
}
