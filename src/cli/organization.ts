import { type OrganizationStatus, setOrganizationStatus } from "../storage/organization-status.ts";
import { withDatabase } from "./command-database.ts";
import { EXIT } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

export type OrganizationVerb = "suspend" | "resume" | "delete";

const STATUS: Record<OrganizationVerb, OrganizationStatus> = {
  suspend: "suspended",
  resume: "active",
  delete: "deleted",
};

const DONE: Record<OrganizationVerb, string> = {
  suspend: "It is suspended: its credentials authenticate nobody until it is resumed.",
  resume: "It is active: its credentials authenticate again.",
  delete: "It is deleted, with all its service accounts and credentials. Its audit trail stays.",
};

/** @param isConfirmed whether the operator has said that he means it: what is deleted does not come back. */
export async function runOrganization(
  terminal: Terminal,
  verb: OrganizationVerb,
  id: string,
  isConfirmed: boolean,
): Promise<number> {
  if (!isConfirmed) {
    terminal.err(
      "keyturn: this deletes all service accounts and credentials of the organization, for good. " +
        "Say --yes to do so; suspend can be undone\n",
    );
    return EXIT.unknown;
  }
  return withDatabase(terminal, async (db) => {
    if (await setOrganizationStatus(db, id, STATUS[verb])) {
      terminal.out(`${DONE[verb]}\n`);
      return EXIT.yes;
    }
    terminal.err("keyturn: there is no organization of this id, or it was deleted\n");
    return EXIT.no;
  });
}
