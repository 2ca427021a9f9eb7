import { Command } from "commander";
import manifest from "../../package.json" with { type: "json" };
import { addDatabaseCommands } from "./database-commands.ts";
import { EXIT } from "./exit-code.ts";
import { addServiceCommands } from "./service-commands.ts";
import { OutputError } from "./standard-output.ts";
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
    if (argv[2] === "help") helpOn(program, argv.slice(3));
    else await program.parseAsync(argv);
    return exitCode;
  };
}

/** What stands behind `help` may lead to a command of a group, which commander's own help does not follow. */
function helpOn(program: Command, path: readonly string[]): void {
  let command = program;
  for (const word of path.filter((word) => !word.startsWith("-"))) {
    command =
      command.commands.find((candidate) => candidate.name() === word) ??
      program.error(`error: unknown command '${path.join(" ")}'`);
  }
  command.outputHelp();
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
    .version(manifest.version, "--version", "print the version")
    .configureOutput({ writeOut: (text) => writeHelp(terminal, text), writeErr: terminal.err })
    // What a command cannot even ask ends with 2, so that 1 says no and nothing else.
    .exitOverride(({ exitCode }) => terminal.exit(exitCode === 0 ? EXIT.yes : EXIT.unknown));
  addServiceCommands(program, terminal, ended);
  addDatabaseCommands(program, terminal, ended);
  return program;
}

/** Who reads the beginning of a help has seen enough of it. */
function writeHelp(terminal: Terminal, text: string): void {
  try {
    terminal.out(text);
  } catch (err) {
    if (!(err instanceof OutputError && err.isReaderGone)) throw err;
  }
}
