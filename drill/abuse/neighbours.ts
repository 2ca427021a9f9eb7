import { givenAccount } from "../../test/support/database.ts";
import type { Broken, Drill } from "../support/drill.ts";
import { type Creator, closedLoop, type Outcomes, openLoop } from "../support/open-loop.ts";
import { openRpc } from "../support/rpc.ts";
import { givenWorld, type World } from "../support/world.ts";

const TIMES = 10;
const DURATION_MS = { quick: 5_000, full: 60_000 };
const CAPACITY_CREATES = { quick: 30, full: 1_000 };
const IN_FLIGHT = 16;
const GOOD_CREATES = 6;
/** Of one organization, each with room for what a load makes. */
const ACCOUNTS = 500;

export const drill: Drill = {
  title:
    "one organization creates ten times as much as can be done, beside another that creates one at a time",
  invariants: ["fair"],
  bugs: [
    {
      name: "first come, first served",
      breaks: "fair",
      file: "src/service/issue.ts",
      from: "deps.mint.take(ctx.signal, ctx.caller.organizationId);",
      to: "deps.mint.take(ctx.signal);",
    },
  ],
  async run(run) {
    await using world = await givenWorld(run);
    // No secret is ready, so that each create is a hash: what there is least of.
    const server = await world.serve({ KEYTURN_MINT_POOL_SIZE: "0" });
    const [loud, quiet] = [
      await creatorOf(world, server.addresses.grpc),
      await creatorOf(world, server.addresses.grpc),
    ];
    await closedLoop(loud, IN_FLIGHT, 10);
    const count = run.quick ? CAPACITY_CREATES.quick : CAPACITY_CREATES.full;
    const capacity = await closedLoop(loud, IN_FLIGHT, count);
    const alone = await closedLoop(quiet, 1, GOOD_CREATES);
    const beside: Outcomes[] = [];
    let isOver = false;
    const durationMs = run.quick ? DURATION_MS.quick : DURATION_MS.full;
    const load = openLoop(loud, capacity.perSecond * TIMES, durationMs).finally(() => {
      isOver = true;
    });
    while (!isOver) beside.push(await closedLoop(quiet, 1, 1));
    const met = await load;
    const sum = (of: (one: Outcomes) => number) => beside.reduce((total, one) => total + of(one), 0);
    const [begun, failed] = [sum((one) => one.begun), sum((one) => one.deferred + one.otherCount)];
    const broken: Broken[] = [];
    if (failed > 0)
      broken.push({
        invariant: "fair",
        sentence: `${failed} of the quiet one's ${begun} creates failed, alone ${alone.deferred + alone.otherCount} of ${alone.begun}`,
      });
    if (begun === 0) broken.push({ invariant: "fair", sentence: "the quiet one made no create at all" });
    return {
      did: `one organization at ${TIMES}× of ${Math.round(capacity.perSecond)} creates/s`,
      broken,
      figures: `the loud one: ${met.deferred} of ${met.begun} told to come again; the quiet one: ${failed} of ${begun} failed`,
    };
  },
};

/** An administrator of an organization of its own, on a connection of his own. */
async function creatorOf(world: World, address: string): Promise<Creator> {
  const { organizationId, id } = await givenAccount(world.sql);
  await world.sql`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    select ${organizationId}, ${id} || '-' || n, 'Drill', ${organizationId}, 'drill' from generate_series(1, ${ACCOUNTS}::int) n`;
  const rpc = openRpc(address);
  world.later(rpc.close);
  const claims = {
    tenant_id: organizationId,
    roles: ["admin"],
    sub: "neighbour",
    exp: Math.floor(Date.now() / 1000) + 3600,
  };
  const token = await world.issuer.sign({ claims });
  return {
    rpc,
    token: async () => token,
    accounts: Array.from({ length: ACCOUNTS }, (_, n) => `${id}-${n + 1}`),
  };
}
