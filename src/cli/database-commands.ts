import type { Command } from "commander";
import type { Terminal } from "./terminal.ts";

type Ended = (code: number) => void;

/** What operators do in the database itself. */
export function addDatabaseCommands(program: Command, terminal: Terminal, ended: Ended): void {
  addAuditVerify(program, terminal, ended);
  addOrganizationCommands(program, terminal, ended);
  addKeyCommands(program, terminal, ended);
}

function addAuditVerify(program: Command, terminal: Terminal, ended: Ended): void {
  program
    .command("audit")
    .description("look at the audit trail")
    .command("verify")
    .description(
      "compute every hash chain again and name each row that was changed, removed, moved or put in",
    )
    .option("--org <id>", "one organization; otherwise all of them")
    .option("--service-account <id>", "one service account of that organization, by its id or UUID")
    .addHelpText(
      "after",
      "\nExamples:\n  $ DATABASE_URL=postgres://keyturn_server:...@db/keyturn keyturn audit verify\n  $ keyturn audit verify --org acme\n\n" +
        "Exit code: 0 intact, 1 not intact, 2 it could not be found out.",
    )
    .action(async (options: { org?: string; serviceAccount?: string }) => {
      const { runAuditVerify } = await import("./audit-verify.ts");
      ended(await runAuditVerify(terminal, options));
    });
}

function addOrganizationCommands(program: Command, terminal: Terminal, ended: Ended): void {
  const group = program
    .command("organization")
    .description("suspend, resume or delete an organization in the database of DATABASE_URL, as its owner");
  const verbs = {
    suspend: "its credentials stop authenticating, until it is resumed",
    resume: "its credentials authenticate again",
    delete: "its service accounts and credentials are deleted at once and for good; its audit trail stays",
  } as const;
  for (const verb of ["suspend", "resume", "delete"] as const) {
    const command = group
      .command(`${verb} <id>`)
      .description(verbs[verb])
      .addHelpText(
        "after",
        `\nExamples:\n  $ keyturn organization ${verb} acme${verb === "delete" ? " --yes" : ""}\n\n` +
          "Exit code: 0 done, 1 there is no such organization, 2 it could not be done.",
      );
    if (verb === "delete") command.option("--yes", "it is meant");
    command.action(async (id: string, { yes = verb !== "delete" }: { yes?: boolean }) => {
      const { runOrganization } = await import("./organization.ts");
      ended(await runOrganization(terminal, verb, id, yes));
    });
  }
}

function addKeyCommands(program: Command, terminal: Terminal, ended: Ended): void {
  program
    .command("keys")
    .description("look after the keys that sign access tokens")
    .command("rotate")
    .description("add the next key: it is published at once and signs ten minutes later")
    .option("--now", "it signs at once, though whoever has fetched the keys lately does not know it yet")
    .addHelpText(
      "after",
      "\nExamples:\n  $ keyturn keys rotate\n\nExit code: 0 there is a next key, 2 it could not be added.",
    )
    .action(async ({ now = false }: { now?: boolean }) => {
      const { runKeysRotate } = await import("./keys.ts");
      ended(await runKeysRotate(terminal, now));
    });
}
