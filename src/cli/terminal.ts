import type { Foundations } from "../compose.ts";
import type { Config } from "../config.ts";

/** What a command may ask of the process. */
export interface Terminal {
  readonly production: boolean;
  /**
   * The configuration, or the end of the process with every mistake named; exit code 1 unless told otherwise. What options
   * of the command line say goes before the variables.
   */
  config(exitCode?: number, options?: Readonly<Record<string, string>>): Config;
  /** The database alone, or the end of the process: for what needs no other secret. */
  databaseUrl(exitCode?: number): string;
  /** The root keys alone, or the end of the process. */
  rootKeys(exitCode?: number): Foundations["rootKeys"];
  /** The variables as they stand, for what has to say what is wrong with them, and for addresses and tokens of callers. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** @throws OutputError when it did not come out. */
  out(text: string): void;
  err(text: string): void;
  /** Whether nobody will ever read what goes out. */
  isOutDiscarded(): boolean;
  /** All of standard input. */
  readInput(): Promise<string>;
  readonly isTerminal: boolean;
  readonly isErrTerminal: boolean;
  readonly isInputTerminal: boolean;
  /** Ends the process at once. */
  exit(code: number): never;
  onSignal<S extends NodeJS.Signals>(signals: readonly S[], handler: (signal: S) => void): void;
  /** Calls once when the npm that started this process has ended. */
  onParentGone(handler: () => void): void;
}
