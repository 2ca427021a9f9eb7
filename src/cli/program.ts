import { Command, InvalidArgumentError } from "commander";
import type { Config } from "../config.ts";

/** What a command may ask of the process. */
export interface Terminal {
  readonly production: boolean;
  /** The configuration, or the end of the process with every mistake named. */
  config(): Config;
  /** The database alone, or the end of the process: for what runs with its owner's login and no other secret. */
  databaseUrl(): string;
  out(text: string): void;
  readonly isTerminal: boolean;
  /** Ends the process at once. */
  exit(code: number): never;
  onSignal(signals: readonly NodeJS.Signals[], handler: (signal: NodeJS.Signals) => void): void;
  /** Calls once when the npm that started this process has ended. */
  onParentGone(handler: () => void): void;
}

/**
 * The command line. Resolves to the exit code: 0, or 1 when the command could not do its work. Each command loads what
 * it needs and no more: a token must not wait for a whole server.
 */
export function createProgram(terminal: Terminal): (argv: readonly string[]) => Promise<number> {
  let exitCode = 0;
  const program = new Command("keyturn").description(
    "Issues, limits, rotates, checks and retires the client secrets of service accounts.",
  );
  program
    .command("serve")
    .description("run the service until SIGTERM or SIGINT")
    .action(async () => {
      const { runServe } = await import("./serve.ts");
      exitCode = await runServe(terminal);
    });
  program
    .command("migrate")
    .description("bring the database of DATABASE_URL, as its owner, to the schema of this release")
    .action(async () => {
      const { runMigrate } = await import("./migrate.ts");
      exitCode = await runMigrate(terminal);
    });
  program
    .command("token")
    .description("print a bearer token of the development issuer (not in production)")
    .requiredOption("--org <id>", "organization of the caller, such as acme")
    .requiredOption("--sub <subject>", "subject of the caller, such as user-admin-001")
    .option("--roles <roles>", "roles of the caller, separated by commas", "")
    .option("--ttl <seconds>", "seconds that the token is valid", positiveInteger, 3600)
    .action(async (options: { org: string; sub: string; roles: string; ttl: number }) => {
      const { runToken } = await import("./token.ts");
      exitCode = await runToken(terminal, options);
    });
  return async (argv) => {
    await program.parseAsync(argv);
    return exitCode;
  };
}

function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("must be a positive whole number");
  return Number(text);
}
