import type { ChannelOptions } from "@grpc/grpc-js";
import { eventually } from "../../test/support/eventually.ts";
import { metricOf, type ServerProcess } from "../../test/support/process.ts";
import type { Broken, DrillResult, DrillRun } from "./drill.ts";
import { type Load, type LoadOptions, startLoad } from "./load.ts";
import { openRpc, type Rpc } from "./rpc.ts";
import { givenWorld, type World, type WorldOptions } from "./world.ts";

/** What a drill finds when it begins: a service at work. */
export interface Scene {
  readonly world: World;
  readonly rpc: Rpc;
  readonly load: Load;
  /** Waits until a create is acknowledged again, and notes how long that took. */
  recovered(): Promise<void>;
}

/** What a drill says it has done. */
export interface Harm {
  readonly did: string;
  /** What it has found broken beside what the books say. */
  readonly broken?: readonly Broken[];
  /** More figures than the load's. */
  readonly figures?: string | undefined;
}

export interface UnderLoadOptions extends WorldOptions, LoadOptions {
  /** Starts what is harmed, and gives the target of the load. Default: one server, which may not end. */
  readonly serve?: (world: World) => Promise<string>;
  /** Given that one server. */
  readonly onServer?: (server: ServerProcess) => void;
  /** Of the load's channel. */
  readonly channel?: ChannelOptions;
  /** What stands beside that one server, and the variables that it is given for it. */
  readonly beside?: (world: World) => Promise<Readonly<Record<string, string>>>;
}

/** The promise is two seconds; what is more than this is no matter of a slow machine. */
const RECOVERY_MS_MAX = 30_000;
const ACCOUNTS = 200;

class NeverRecovered extends Error {}

/** Harms a service under load, and then compares what its callers were told with what is there. */
export async function underLoad(
  run: DrillRun,
  options: UnderLoadOptions,
  harm: (scene: Scene) => Promise<Harm>,
): Promise<DrillResult> {
  await using world = await givenWorld(run, options);
  const servers: ServerProcess[] = [];
  const serveOne = async () => {
    const server = await world.serve(await options.beside?.(world));
    servers.push(server);
    options.onServer?.(server);
    return server.addresses.grpc;
  };
  const rpc = openRpc(await (options.serve?.(world) ?? serveOne()), options.channel);
  world.later(rpc.close);
  const load = startLoad(world, rpc, await world.accounts(ACCOUNTS), options);
  world.later(load.stop);
  const recoveries: number[] = [];
  const recovered = async () => {
    recoveries.push(await load.recovery());
    if (recoveries.at(-1) === Number.POSITIVE_INFINITY) throw new NeverRecovered();
  };
  try {
    await recovered();
    recoveries.length = 0;
    const { did, broken = [], figures } = await harm({ world, rpc, load, recovered });
    await load.stop();
    const judgement = await load.judge();
    const faults = [...judgement.broken, ...broken, ...lateIn(recoveries), ...(await heldBy(servers))];
    const words = Object.entries(load.tally()).map(([word, count]) => `${word} ${count}`);
    return {
      did,
      lost: judgement.lost,
      worstRecoveryMs: recoveries.length === 0 ? undefined : Math.max(...recoveries),
      broken: faults,
      figures: [...words, ...(figures === undefined ? [] : [figures])].join(", "),
    };
  } catch (err) {
    if (!(err instanceof NeverRecovered)) throw err;
    const tally = JSON.stringify(load.tally());
    return { did: "did not get through", broken: [{ invariant: "recovers", sentence: `never: ${tally}` }] };
  }
}

function lateIn(recoveries: readonly number[]): Broken[] {
  const worst = Math.max(0, ...recoveries);
  if (worst < RECOVERY_MS_MAX) return [];
  return [{ invariant: "recovers", sentence: `it took ${Math.round(worst)} ms` }];
}

/** What servers still hold when nobody calls any more, and which of them have ended. */
async function heldBy(servers: readonly ServerProcess[]): Promise<Broken[]> {
  const broken: Broken[] = [];
  for (const server of servers) {
    if (!server.isRunning()) broken.push({ invariant: "recovers", sentence: "the server ended" });
    else broken.push(...(await unreleased(server)));
  }
  return broken;
}

const PERMITS = [
  "keyturn_database_connections_in_use",
  "keyturn_database_queue_length",
  "keyturn_hash_in_flight",
  "keyturn_hash_queue_length",
  "keyturn_check_hash_in_flight",
  "keyturn_check_hash_queue_length",
];

/** Permits, connections and places in queues that have not come back. Looked at often: a server has work of its own. */
export async function unreleased(server: ServerProcess): Promise<Broken[]> {
  const broken: Broken[] = [];
  for (const name of PERMITS) {
    const isFree = eventually(async () => (await metricOf(server, name)) === 0);
    await isFree.catch(() => broken.push({ invariant: "released", sentence: `${name} stays above 0` }));
  }
  return broken;
}
