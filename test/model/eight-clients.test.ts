/**
 * Eight clients do whatever there is to do, at the same time, over gRPC and REST at two servers. Afterwards the audit
 * trail says in which order it was done, a model does the same in that order, and whatever anybody heard must be what the
 * model says. KEYTURN_TEST_SEED repeats the choices of a run.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import postgres from "postgres";
import { chainFaults } from "../support/audit-chain.ts";
import { givenTwoServers, type TwoServers } from "../support/two-servers.ts";
import { openAuditor } from "./auditor.ts";
import { type Call, type Client, type Desk, openClients, openDesk } from "./clients.ts";
import { nextOperation, type Operation } from "./operations.ts";
import { passTime } from "./passing-time.ts";
import { type Random, randomFrom, seedOfRun } from "./random.ts";
import { assertAsStored, assertTrailIsShown, openPoll, type Poll } from "./stored-state.ts";
import { openTrail } from "./trail.ts";

const TENANT = "org-model";
const ACCOUNTS = ["sa-one", "sa-two", "sa-three", "sa-four", "sa-five"];
const CLIENTS = 8;
const ROUNDS = 14;
const CALLS_PER_ROUND = 14;
const LIMIT = 5;

let h: TwoServers;
let clients: Client[];
let poll: Poll;

before(async () => {
  h = await givenTwoServers(CLIENTS * 2, { KEYTURN_ORGANIZATION_ADMIN_ROLES: "owner" });
  clients = await openClients(h, TENANT, CLIENTS);
  poll = openPoll(postgres(h.db.superuserUrl, { max: 1 }), TENANT);
});
after(async () => {
  await poll.stop();
  for (const { at } of clients) at.close();
  await h.stop();
});

test("eight clients at two servers hear what one caller after the other would have heard, and the trail says the order", async (t) => {
  const seed = seedOfRun();
  t.diagnostic(`KEYTURN_TEST_SEED=${seed}`);
  try {
    t.diagnostic(await run(seed));
  } catch (err) {
    if (err instanceof Error)
      err.message = `KEYTURN_TEST_SEED=${seed}: ${[err.message, ...defects()].join("\n")}`;
    throw err;
  }
  assert.ok(poll.looks() > ROUNDS);
  assert.ok(poll.liveMax() <= LIMIT, `${poll.liveMax()} were live at once`);
  assert.deepEqual(await chainFaults(h.db.sql, TENANT), []);
  assert.deepEqual(defects(), []);
});

/** What the servers themselves say that went wrong. */
const defects = (): string[] =>
  h.servers.flatMap((server) =>
    server
      .log()
      .split("\n")
      .filter((line) => line.includes('"defect"')),
  );

async function run(seed: number): Promise<string> {
  const desk = openDesk(ACCOUNTS, randomFrom(seed), await clockOffsetMs());
  const auditor = openAuditor(TENANT, ACCOUNTS);
  const trail = openTrail(h.db.sql, TENANT);
  const reasons = new Map<string, number>();
  const review = async (calls: readonly Call[]) => {
    auditor.review(calls, await trail.next(calls));
    for (const { rpc, heard } of calls) {
      const what = `${rpc} ${heard.reason}`.trim();
      reasons.set(what, (reasons.get(what) ?? 0) + 1);
    }
  };
  await review(await opening(desk));
  let calls: Call[][] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const random = clients.map((_, n) => randomFrom(seed + 1_000 * (round + 1) + n));
    calls = await Promise.all(
      clients.map((client, n) => busily(desk, client, random[n] as Random, calls[n] ?? [])),
    );
    await review(calls.flat());
    await review(await lookAtEverything(desk));
    await assertAsStored(h.db.sql, TENANT, ACCOUNTS, auditor);
    await passTime(h.db.sql, TENANT, randomFrom(seed - round), desk, auditor);
  }
  for (const client of clients.slice(0, 2))
    await assertTrailIsShown(h.db.sql, TENANT, (req) =>
      desk.call(client, { service: "AuditService", rpc: "listAuditEvents", req }),
    );
  return [...reasons]
    .sort()
    .map(([what, count]) => `${count} ${what}`)
    .join(", ");
}

/** The two accounts that are there throughout. */
async function opening(desk: Desk): Promise<Call[]> {
  const create = (id: string, roles: string[]): Operation => ({
    service: "ServiceAccountService",
    rpc: "createServiceAccount",
    req: { id, displayName: id, roles },
  });
  const [client] = clients as [Client];
  return [
    await desk.call(client, create("sa-one", [])),
    await desk.call(client, create("sa-two", ["deploy"])),
  ];
}

/** One call after the other; now and then one that was made before, in this round or the last, as after a lost answer. */
async function busily(desk: Desk, client: Client, random: Random, before: Call[]): Promise<Call[]> {
  const calls: Call[] = [];
  while (calls.length < CALLS_PER_ROUND) {
    const repeatable = [...before, ...calls].filter(({ req }) => req.requestId !== undefined);
    const again = random.chance(0.15) ? random.pick(repeatable) : undefined;
    calls.push(await desk.call(client, again ?? nextOperation(random, desk.known)));
  }
  return calls;
}

/** Every list, every account, every credential that anybody ever heard of, and the policy, at every door. */
async function lookAtEverything(desk: Desk): Promise<Call[]> {
  const credentials = (rpc: string, req: object): Operation => ({ service: "CredentialService", rpc, req });
  const accounts = (rpc: string, req: object): Operation => ({ service: "ServiceAccountService", rpc, req });
  const looks = [
    accounts("listServiceAccounts", {}),
    { service: "CredentialPolicyService", rpc: "getCredentialPolicy", req: {} } as const,
    ...ACCOUNTS.flatMap((id) => [
      accounts("getServiceAccount", { id }),
      ...[0, 1, 2, 3, 4].map((status) => credentials("listCredentials", { serviceAccountId: id, status })),
      ...desk.known
        .credentialIds(id)
        .slice(-12)
        .map((credentialId) => credentials("getCredential", { serviceAccountId: id, id: credentialId })),
    ]),
  ];
  return Promise.all(looks.map((look, n) => desk.call(clients[n % CLIENTS] as Client, look)));
}

/** How far the database's clock is ahead of this process's, by the quickest of some answers. */
async function clockOffsetMs(): Promise<number> {
  const samples: { readonly tripMs: number; readonly offsetMs: number }[] = [];
  while (samples.length < 20) {
    const before = Date.now();
    const [row] = await h.db.sql<{ now: Date }[]>`select clock_timestamp() as now`;
    const tripMs = Date.now() - before;
    samples.push({ tripMs, offsetMs: (row?.now.getTime() ?? 0) - before - tripMs / 2 });
  }
  return samples.sort((a, b) => a.tripMs - b.tripMs)[0]?.offsetMs ?? 0;
}
