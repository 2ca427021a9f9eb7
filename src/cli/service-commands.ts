import { type Command, InvalidArgumentError, Option } from "commander";
import type { Terminal } from "./terminal.ts";

/** What runs the service and looks after its surroundings. */
export function addServiceCommands(
  program: Command,
  terminal: Terminal,
  ended: (code: number) => void,
): void {
  program
    .command("serve")
    .description("run the service until SIGTERM or SIGINT")
    .option("--workers <count>", "processes that serve at the same ports; default: KEYTURN_WORKERS, or 1")
    .addHelpText(
      "after",
      "\nExamples:\n  $ keyturn serve\n  $ keyturn serve --workers 2\n\n" +
        "Exit code: 0 it was asked to end, 1 it could not go on.",
    )
    .action(async ({ workers }: { workers?: string }) => {
      const { runServe } = await import("./serve.ts");
      ended(await runServe(terminal, workers === undefined ? {} : { KEYTURN_WORKERS: workers }));
    });
  program
    .command("migrate")
    .description("bring the database of DATABASE_URL, as its owner, to the schema of this release")
    .addHelpText(
      "after",
      "\nExamples:\n  $ DATABASE_URL=postgres://keyturn_owner:...@db/keyturn keyturn migrate\n\n" +
        "Exit code: 0 the schema is there, 1 it could not be brought there.",
    )
    .action(async () => {
      const { runMigrate } = await import("./migrate.ts");
      ended(await runMigrate(terminal));
    });
  program
    .command("token")
    .description("print a bearer token of the development issuer (not in production)")
    .requiredOption("--org <id>", "organization of the caller, such as acme", notEmpty)
    .requiredOption("--sub <subject>", "subject of the caller, such as user-admin-001", notEmpty)
    .option("--roles <roles>", "roles of the caller, separated by commas", "")
    .option("--ttl <seconds>", "seconds that the token is valid", positiveInteger, 3600)
    .addHelpText(
      "after",
      "\nExamples:\n  $ keyturn token --org acme --sub user-admin-001 --roles admin\n\n" +
        "Exit code: 0 done, 1 there is no such issuer, 2 the command line was wrong.",
    )
    .action(async (options: { org: string; sub: string; roles: string; ttl: number }) => {
      const { runToken } = await import("./token.ts");
      ended(await runToken(terminal, options));
    });
  program
    .command("doctor")
    .description(
      "say what is wrong with the configuration, the database, the issuers and the webhook that the variables name",
    )
    .addOption(new Option("-o, --output <format>", "default: a line a finding").choices(["json"]))
    .option("--offline", "look at the configuration and at this machine alone")
    .addHelpText(
      "after",
      "\nExamples:\n  $ keyturn doctor\n  $ keyturn doctor --output json\n\n" +
        "Exit code: 0 nothing is wrong, 1 something is, 2 the command line was wrong.",
    )
    .action(async (options: { output?: "json"; offline?: boolean }) => {
      const { runDoctor } = await import("./doctor.ts");
      ended(await runDoctor(terminal, options));
    });
}

/** A token with an empty claim is one that every server refuses. */
function notEmpty(text: string): string {
  if (text.trim() === "") throw new InvalidArgumentError("must not be empty");
  return text;
}

function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError("must be a positive whole number");
  return Number(text);
}
