import { readFileSync } from "node:fs";
import type { ChannelOptions } from "@grpc/grpc-js";
import { eventually } from "../../test/support/eventually.ts";
import type { ServerProcess } from "../../test/support/process.ts";
import type { Broken, DrillResult, DrillRun } from "./drill.ts";
import type { Load } from "./load.ts";
import { portsOf } from "./ports.ts";
import { type Harm, type Scene, type UnderLoadOptions, underLoad } from "./under-load.ts";
import type { World } from "./world.ts";

/** Servers on one database, each of which another one may replace at the same addresses. */
export interface Fleet {
  /** All of their gRPC doors, for one channel. */
  readonly target: string;
  servers(): readonly ServerProcess[];
  /**
   * SIGTERM, its end, and a new one in its place that is ready.
   * @param root of the sources that the new one runs from; default: those of the run.
   * @returns what the old one ended with.
   */
  restart(
    index: number,
    env?: Readonly<Record<string, string>>,
    root?: string,
  ): Promise<number | NodeJS.Signals>;
}

/** Of a fleet: connections for all callers, so that nobody is sent away for having waited on a slow machine. */
const ROOMY = { KEYTURN_DRAIN_GRACE: "1s", KEYTURN_DATABASE_CONNECTIONS_MAX: "16" };

/** As long as a call may take. */
const DEADLINE_MS = 10_000;

/** A client of all of them, as it is told to be. */
const publishedChannel = (): ChannelOptions => ({
  "grpc.service_config": readFileSync("service_config.json", "utf8"),
});

async function startFleet(world: World, count: number, firstRoot?: string): Promise<Fleet> {
  const start = async (env: Readonly<Record<string, string>> = {}, root = firstRoot) => {
    const server = await world.serve({ ...ROOMY, ...env }, root);
    await eventually(async () => (await fetch(`http://${server.addresses.admin}/readyz`)).ok);
    return server;
  };
  const servers = await Promise.all(Array.from({ length: count }, () => start()));
  return {
    target: `ipv4:${servers.map(({ addresses }) => addresses.grpc).join(",")}`,
    servers: () => servers,
    async restart(index, env, root) {
      const old = servers[index] as ServerProcess;
      const ended = await old.stop();
      servers[index] = await start({ ...portsOf(old.addresses), ...env }, root ?? world.root);
      return ended;
    },
  };
}

export interface FleetOptions extends Pick<UnderLoadOptions, "database" | "mayLoseServer" | "workers"> {
  /** Of the sources that it begins with; default: those of the run. */
  readonly firstRoot?: string;
}

/** Harms a fleet under the load of a client that is told as it is published. */
export async function fleetUnderLoad(
  run: DrillRun,
  count: number,
  harm: (fleet: Fleet, scene: Scene) => Promise<Harm>,
  { firstRoot, ...options }: FleetOptions = {},
): Promise<DrillResult> {
  const { promise: started, resolve } = Promise.withResolvers<Fleet>();
  const serve = async (world: World) => {
    const fleet = await startFleet(world, count, firstRoot);
    resolve(fleet);
    return fleet.target;
  };
  const served = { ...options, serve, channel: publishedChannel(), timeoutMs: DEADLINE_MS };
  return underLoad(run, served, async (scene) => harm(await started, scene));
}

/** Where others use the machine too a call in so many misses its deadline; a drain that forgets calls lets most of them. */
const LATE_ONE_IN = 20;

/**
 * Ends the load, and tells what went wrong where nothing may: a call that failed, or a server that did not end as it should.
 * @param deferredOneIn how many calls there are for each that may be told to come again: an open loop does not wait for a
 * machine whose cores a start takes. Default: none may.
 */
export async function drainFaults(
  load: Load,
  ends: readonly (number | NodeJS.Signals)[],
  deferredOneIn = Number.POSITIVE_INFINITY,
): Promise<Broken[]> {
  await load.stop();
  const broken: Broken[] = ends
    .filter((ended) => ended !== 0)
    .map((ended) => ({ invariant: "drains", sentence: `a server ended with ${ended}` }));
  const tally = load.tally();
  const sum = (words: readonly string[]) => words.reduce((total, word) => total + (tally[word] ?? 0), 0);
  const calls = sum(Object.keys(tally));
  const late = sum(Object.keys(tally).filter((word) => /^(DEADLINE_EXCEEDED|code 4)\b/.test(word)));
  const deferred = tally["OVERLOADED"] ?? 0;
  const isBusy = late * LATE_ONE_IN <= calls;
  const allowed = (isBusy ? late : 0) + (deferred * deferredOneIn <= calls ? deferred : 0);
  if (load.failed() > allowed)
    broken.push({ invariant: "drains", sentence: `${load.failed()}: ${JSON.stringify(tally)}` });
  return broken;
}
