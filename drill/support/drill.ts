import { setTimeout as delay } from "node:timers/promises";
import type { SeededBug } from "./seeded-bug.ts";

/** What must hold whatever is done to the service. The value is how it reads in the table and in docs/reliability.md. */
export const INVARIANTS = {
  kept: "every acknowledged credential is there and verifies",
  explained: "every credential that is there was acknowledged or in doubt",
  gone: "what was replaced or deleted verifies nowhere",
  audited: "the audit trail equals the credentials, and its chains are whole",
  truthful: "trouble is UNAVAILABLE, ABORTED or a deadline: never a refusal, 401, 404 or active:false",
  heard: "callers hear before their deadline",
  recovers: "the service recovers by itself",
  drains: "a server that is told to end fails no call and ends with exit code 0",
  released: "every permit and connection comes back",
  punctual: "no work goes on after its caller has left",
  whole: "a change of the schema is there as a whole or not at all",
  exchangeable:
    "the release before and this one take each other's place on one schema, and what one makes holds at the other",
  database_clock: "limits and expiry follow the clock of the database",
  refused: "what is forged, late or malformed gets one constant answer",
  unmoved: "no spelling of a path and no header leads past the policy of a call",
  standing: "no crash, no hang, no 5xx",
  documented: "every answer is one that the published document gives for its operation",
  bounded: "memory, and what is kept of anything that callers name, stays bounded",
  silent: "no secret, token, hash, SQL or stack is anywhere but with its owner",
  served: "who behaves is served meanwhile, and whoever is not is told when to come again",
  fair: "the load of one organization does not raise the errors of another",
  locked: "what is installed is what the lockfile says, and nothing of it runs at install time",
  accounted:
    "every package is there for a written reason, on the bill of materials and without a known fault",
  reproducible: "what is generated is what its sources make",
} as const;

export type Invariant = keyof typeof INVARIANTS;

/** An invariant that did not hold, and how. */
export interface Broken {
  readonly invariant: Invariant;
  readonly sentence: string;
}

export interface DrillRun {
  /** Few repetitions, so that all the drills together take less than ten minutes. */
  readonly quick: boolean;
  /** The root of the sources that the servers run from: the checkout, or a copy with a bug in it. */
  readonly root: string;
  /** Where the drill's database gets a bug of its own. */
  readonly bug?: SeededBug | undefined;
}

/** A row of the table. */
export interface DrillResult {
  /** What was done, with counts. */
  readonly did: string;
  /** Acknowledged credentials that were not there or did not verify; undefined where the drill issues none. */
  readonly lost?: number;
  readonly worstRecoveryMs?: number | undefined;
  readonly broken: readonly Broken[];
  /** Figures that are worth a line. */
  readonly figures?: string;
}

/** One way to break the service. The file `drill/FAMILY/NAME.ts` exports it as `drill`. */
export interface Drill {
  readonly title: string;
  readonly invariants: readonly Invariant[];
  /** Each must turn the drill red; `npm run drill -- --prove`. */
  readonly bugs: readonly SeededBug[];
  /** Why it cannot be run on this machine; undefined where it can. */
  readonly skip?: () => string | undefined;
  run(run: DrillRun): Promise<DrillResult>;
}

/** Whatever takes longer than this hangs, on however slow a machine. */
const HANG_MS = 30_000;

/** What it comes to; undefined where it hangs. */
export async function inTime<T>(work: Promise<T>): Promise<T | undefined> {
  const late = new AbortController();
  try {
    return await Promise.race([work, delay(HANG_MS, undefined, { signal: late.signal })]);
  } finally {
    late.abort();
  }
}
