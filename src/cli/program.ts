import { Command, InvalidArgumentError } from "commander";
import type { Foundations } from "../compose.ts";
import type { Config } from "../config.ts";

/** What a command may ask of the process. */
export interface Terminal {
  readonly production: boolean;
  /** The configuration, or the end of the process with every mistake named; exit code 1 unless told otherwise. */
  config(exitCode?: number): Config;
  /** The database alone, or the end of the process: for what needs no other secret. */
  databaseUrl(exitCode?: number): string;
  /** The root keys alone, or the end of the process. */
  rootKeys(exitCode?: number): Foundations["rootKeys"];
  out(text: string): void;
  err(text: string): void;
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
  addAuditCommands(program, terminal, (code) => {
    exitCode = code;
  });
  addOrganizationCommands(program, terminal, (code) => {
    exitCode = code;
  });
  addKeyCommands(program, terminal, (code) => {
    exitCode = code;
  });
  return async (argv) => {
    await program.parseAsync(argv);
    return exitCode;
  };
}

type SetExitCode = (code: number) => void;

/** A group of commands that answer a question: what they cannot even ask ends with 2, so that 1 says no and nothing else. */
function questions(program: Command, name: string, description: string, terminal: Terminal): Command {
  return program
    .command(name)
    .description(description)
    .exitOverride(({ exitCode }) => terminal.exit(exitCode === 0 ? 0 : 2));
}

function addAuditCommands(program: Command, terminal: Terminal, ended: SetExitCode): void {
  questions(program, "audit", "look at the audit trail", terminal)
    .command("verify")
    .description(
      "compute every hash chain again and name each row that was changed, removed, moved or put in",
    )
    .option("--org <id>", "one organization; otherwise all of them")
    .option("--service-account <id>", "one service account of that organization, by its id or UUID")
    .addHelpText("after", "\nExit code: 0 intact, 1 not intact, 2 it could not be found out.")
    .action(async (options: { org?: string; serviceAccount?: string }) => {
      const { runAuditVerify } = await import("./audit-verify.ts");
      ended(await runAuditVerify(terminal, options));
    });
}

function addOrganizationCommands(program: Command, terminal: Terminal, ended: SetExitCode): void {
  const description =
    "suspend, resume or delete an organization in the database of DATABASE_URL, as its owner";
  const group = questions(program, "organization", description, terminal);
  const verbs = {
    suspend: "its credentials stop authenticating, until it is resumed",
    resume: "its credentials authenticate again",
    delete: "its service accounts and credentials are deleted at once and for good; its audit trail stays",
  } as const;
  for (const verb of ["suspend", "resume", "delete"] as const) {
    const command = group
      .command(`${verb} <id>`)
      .description(verbs[verb])
      .addHelpText("after", "\nExit code: 0 done, 1 there is no such organization, 2 it could not be done.");
    if (verb === "delete") command.option("--yes", "it is meant");
    command.action(async (id: string, { yes = verb !== "delete" }: { yes?: boolean }) => {
      const { runOrganization } = await import("./organization.ts");
      ended(await runOrganization(terminal, verb, id, yes));
    });
  }
}

function addKeyCommands(program: Command, terminal: Terminal, ended: SetExitCode): void {
  questions(program, "keys", "look after the keys that sign access tokens", terminal)
    .command("rotate")
    .description("add the next key: it is published at once and signs ten minutes later")
    .option("--now", "it signs at once, though whoever has fetched the keys lately does not know it yet")
    .addHelpText("after", "\nExit code: 0 there is a next key, 2 it could not be added.")
    .action(async ({ now = false }: { now?: boolean }) => {
      const { runKeysRotate } = await import("./keys.ts");
      ended(await runKeysRotate(terminal, now));
    });
}

function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("must be a positive whole number");
  return Number(text);
}
