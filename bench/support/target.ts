import type { Bench } from "./bench.ts";

/** What a value must keep to. */
export interface Bound {
  readonly atLeast?: number;
  readonly atMost?: number;
  /** The weaker goal that came before this one. */
  readonly firstGoal?: number;
  /** What no machine may break, however busy: the bound of a quick run. */
  readonly quick?: number;
}

/** One line of the table: a value a pair of runs. */
export interface Row {
  readonly what: string;
  readonly against: string;
  /** The medians that the value is made from, for people. */
  readonly ours: string;
  readonly theirs: string;
  /** Processor time for each operation, for people. */
  readonly cpu?: string;
  readonly values: readonly number[];
  /** Of the values: "×" for a ratio. */
  readonly unit: "×" | "%" | "ms" | "MiB" | "";
  /** Of what is counted and takes no time: no noise can change it, so that it is judged however busy the machine is. */
  readonly isCount?: boolean;
  /** Absent where the row is there to be read, such as a physical limit. */
  readonly bound?: Bound;
  /** The greatest over the least of the values from which on they say nothing. Default 1.5; of no use for what is not a ratio. */
  readonly spreadMax?: number;
}

/** What must be fast, against what. The file `bench/targets/NN-NAME.ts` exports it as `target`. */
export interface Target {
  readonly number: number;
  readonly title: string;
  /** Whether it is part of `npm run bench:quick`. */
  readonly quick: boolean;
  /** Takes minutes: run by name, or with `--all`. */
  readonly isLong?: boolean;
  /** Why it cannot be run on this machine; undefined where it can. */
  readonly skip?: () => string | undefined;
  /** What is not compared with, as this machine has it not: said in the table beside what was measured. */
  readonly without?: () => readonly string[];
  run(bench: Bench): Promise<readonly Row[]>;
}
