import { createProgram } from "../../src/cli/program.ts";
import type { Terminal } from "../../src/cli/terminal.ts";

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Standard input; without it, a terminal at which nobody types. */
  readonly input?: string;
  readonly isTerminal?: boolean;
  readonly isErrTerminal?: boolean;
}

export interface Ran {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

class Exit extends Error {
  readonly code: number;
  constructor(code: number) {
    super(`exit ${code}`);
    this.code = code;
  }
}

/** `keyturn …` in this process: the same program at a terminal that remembers what was said. */
export async function runProgram(args: readonly string[], options: ProgramOptions = {}): Promise<Ran> {
  let [out, err] = ["", ""];
  const unused = () => {
    throw new Error("not part of this");
  };
  const terminal: Terminal = {
    production: options.env?.["NODE_ENV"] === "production",
    config: unused,
    databaseUrl: unused,
    rootKeys: unused,
    env: options.env ?? {},
    out: (text) => {
      out += text;
    },
    err: (text) => {
      err += text;
    },
    isOutDiscarded: () => false,
    readInput: async () => options.input ?? "",
    isTerminal: options.isTerminal ?? false,
    isErrTerminal: options.isErrTerminal ?? false,
    isInputTerminal: options.input === undefined,
    exit: (code) => {
      throw new Exit(code);
    },
    onSignal: () => {},
    onParentGone: () => {},
  };
  try {
    const status = await createProgram(terminal)(["node", "keyturn", ...args]);
    return { status, out, err };
  } catch (thrown) {
    if (thrown instanceof Exit) return { status: thrown.code, out, err };
    throw thrown;
  }
}
