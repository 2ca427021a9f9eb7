import { Command } from "commander";
import { addDatabaseCommands } from "./database-commands.ts";
import { EXIT } from "./exit-code.ts";
import { addServiceCommands } from "./service-commands.ts";
import type { Terminal } from "./terminal.ts";

/** Commands of which none calls the service: they need not wait for what those that do are made of. */
const WITHOUT_CALLS: ReadonlySet<string> = new Set([
  "serve",
  "migrate",
  "token",
  "organization",
  "keys",
  "doctor",
]);

/**
 * The command line. Resolves to the exit code: see `EXIT`. Each command loads what it needs and no more: a token must
 * not wait for a whole server.
 */
export function createProgram(terminal: Terminal): (argv: readonly string[]) => Promise<number> {
  return async (argv) => {
    let exitCode: number = EXIT.yes;
    const ended = (code: number) => {
      exitCode = code;
    };
    const isLocal = WITHOUT_CALLS.has(argv[2] ?? "");
    const program = isLocal ? localProgram(terminal, ended) : await wholeProgram(terminal, ended);
    await program.parseAsync(argv);
    return exitCode;
  };
}

/** Every command, also for whoever wants to read what there is. */
export async function wholeProgram(terminal: Terminal, ended: (code: number) => void): Promise<Command> {
  const program = localProgram(terminal, ended);
  const { addRpcCommands } = await import("./rpc-program.ts");
  addRpcCommands(program, terminal, ended);
  const { addCompletionCommand } = await import("./completion.ts");
  addCompletionCommand(program, terminal, ended);
  return program;
}

function localProgram(terminal: Terminal, ended: (code: number) => void): Command {
  const program = new Command("keyturn")
    .description("Issues, limits, rotates, checks and retires the client secrets of service accounts.")
    .configureOutput({ writeOut: terminal.out, writeErr: terminal.err })
    // What a command cannot even ask ends with 2, so that 1 says no and nothing else.
    .exitOverride(({ exitCode }) => terminal.exit(exitCode === 0 ? EXIT.yes : EXIT.unknown));
  addServiceCommands(program, terminal, ended);
  addDatabaseCommands(program, terminal, ended);
  return program;
}
