/**
 * What a dry mint is best met with: shedding at once, or fewer streams, so that callers wait at home. No test, but the
 * measurement behind docs/adr/0004: `npm test -- test/bench/backpressure.ts`, some minutes, best on a machine that does
 * nothing else.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type Callers, openCallers } from "../support/callers.ts";
import { givenAccount, givenDatabase } from "../support/database.ts";
import { startIssuer } from "../support/issuer.ts";
import { environment } from "../support/keyturn.ts";
import { startServer } from "../support/process.ts";

const CALLERS = 256;
const CONNECTIONS = 4;
const ROUNDS = 5;
/** Before the window, everybody should have been served once. */
const WARM_UP_MS_MAX = 20_000;
const WINDOW_MS = 15_000;
const ORGANIZATIONS = 16;
const ACCOUNTS_OF_EACH = 2_000;

interface Way {
  readonly name: string;
  readonly streamsMax: number;
  /** Whether callers who are refused wait as RetryInfo says, or come back at once. */
  readonly isPatient: boolean;
}

const WAYS: readonly Way[] = [
  { name: "shed, callers come back at once", streamsMax: 100, isPatient: false },
  { name: "shed, callers wait as RetryInfo says", streamsMax: 100, isPatient: true },
  { name: "8 streams a connection", streamsMax: 8, isPatient: false },
];

/** What one way did in one window, times in milliseconds. */
interface Figures {
  readonly goodput: number;
  readonly refused: number;
  /** Of the calls that succeeded. */
  readonly call: readonly number[];
  /** From the first attempt to the success; of those who still wait at the end, so far. */
  readonly whole: readonly number[];
}

interface Target {
  readonly serviceAccountId: string;
  readonly token: string;
}

const db = await givenDatabase();
const issuer = await startIssuer();
const targets = await givenTargets();
const servers = await Promise.all(WAYS.map(({ streamsMax }) => serverWith(streamsMax)));
try {
  const figures = new Map<Way, Figures[]>(WAYS.map((way) => [way, []]));
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let place = 0; place < WAYS.length; place += 1) {
      const index = (round + place) % WAYS.length;
      const [way, server] = [WAYS[index] as Way, servers[index] as (typeof servers)[number]];
      const callers = openCallers(server.addresses.grpc, CONNECTIONS);
      const found = await measure(callers, way);
      callers.close();
      figures.get(way)?.push(found);
      print(way, found);
    }
  }
  process.stdout.write("\nmedians of the rounds\n");
  for (const way of WAYS) print(way, median(figures.get(way) ?? []));
} finally {
  for (const server of servers) await server.stop();
  await issuer.stop();
  await db.drop();
}

/** Each create goes to the next account, so that none of them is full before all of them are. */
async function givenTargets(): Promise<() => Target> {
  const targets: Target[] = [];
  for (let n = 0; n < ORGANIZATIONS; n += 1) {
    const { organizationId } = await givenAccount(db.sql);
    const token = await issuer.sign({
      claims: { tenant_id: organizationId, roles: ["admin"], sub: "bench", exp: Date.now() / 1000 + 3600 },
    });
    const rows = await db.sql<{ id: string }[]>`
      insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
      select ${organizationId}, 'sa-bench-' || n, 'Bench', ${organizationId}, 'test'
        from generate_series(1, ${ACCOUNTS_OF_EACH}::int) n
      returning id`;
    targets.push(...rows.map(({ id }) => ({ serviceAccountId: id, token })));
  }
  let turn = 0;
  // A step that is prime to the length: neighbours in time are of different organizations.
  return () => targets[(turn++ * (ACCOUNTS_OF_EACH + 1)) % targets.length] as Target;
}

/** The server as it is but for one limit, set before it is read. */
function serverWith(streamsMax: number) {
  const limits = new URL("../../src/limits.ts", import.meta.url).href;
  const change = `import { LIMITS } from "${limits}"; LIMITS.concurrentStreamsMax = ${streamsMax};`;
  return startServer({
    ...environment(db.serverUrl, issuer.url),
    NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(change)}`,
    KEYTURN_MINT_POOL_SIZE: "0",
    LOG_LEVEL: "info",
  });
}

/** A closed loop: every caller asks again as soon as he has been answered. */
async function measure(callers: Callers, { isPatient }: Way): Promise<Figures> {
  const [call, whole]: [number[], number[]] = [[], []];
  let [created, refused, isCounting, isStopping] = [0, 0, false, false];
  const loop = async () => {
    while (!isStopping) {
      const { serviceAccountId, token } = targets();
      const firstAt = performance.now();
      let isCreated = false;
      while (!isCreated && !isStopping) {
        const startedAt = performance.now();
        const outcome = await callers.create(serviceAccountId, token);
        isCreated = outcome.kind === "created";
        created += Number(isCreated);
        if (isCounting && isCreated) call.push(performance.now() - startedAt);
        if (isCounting && !isCreated) refused += 1;
        if (outcome.kind === "refused" && isPatient) await delay(retryMs(outcome.failure.details));
      }
      if (isCounting || isStopping) whole.push(performance.now() - firstAt);
    }
  };
  const loops = Array.from({ length: CALLERS }, loop);
  const warmAt = performance.now() + WARM_UP_MS_MAX;
  while (created < CALLERS && performance.now() < warmAt) await delay(50);
  isCounting = true;
  const startedAt = performance.now();
  await delay(WINDOW_MS);
  isCounting = false;
  const seconds = (performance.now() - startedAt) / 1000;
  const goodput = call.length / seconds;
  isStopping = true;
  await Promise.all(loops);
  return { goodput, refused: refused / (refused + call.length), call, whole };
}

function retryMs(details: readonly object[]): number {
  for (const detail of details) {
    const { retryDelay } = detail as { retryDelay?: { seconds: bigint; nanos: number } };
    if (retryDelay !== undefined) return Number(retryDelay.seconds) * 1000 + retryDelay.nanos / 1e6;
  }
  return 0;
}

function percentile(times: readonly number[], share: number): number {
  return times.toSorted((one, other) => one - other)[Math.floor(times.length * share)] ?? Number.NaN;
}

/** Each number the median of its own over the rounds. */
function median(rounds: readonly Figures[]): Figures {
  const over = (value: (figures: Figures) => number) => percentile(rounds.map(value), 0.5);
  const times = (which: "call" | "whole") =>
    [0.5, 0.99].map((share) => over((figures) => percentile(figures[which], share)));
  return {
    goodput: over(({ goodput }) => goodput),
    refused: over(({ refused }) => refused),
    call: times("call"),
    whole: times("whole"),
  };
}

function print(way: Way, { goodput, refused, call, whole }: Figures): void {
  const ms = (times: readonly number[]) =>
    `p50 ${percentile(times, 0.49).toFixed(0)} p99 ${percentile(times, 0.99).toFixed(0)}`;
  const parts = [`${goodput.toFixed(1)}/s`, `call ${ms(call)} ms`, `whole ${ms(whole)} ms`];
  process.stdout.write(
    `${way.name.padEnd(38)} ${parts.join("  ")}  refused ${(100 * refused).toFixed(1)} %\n`,
  );
}
