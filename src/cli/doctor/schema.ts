import type { DatabaseFacts } from "../../storage/database-examination.ts";
import { type Finding, ok, warning, wrong } from "./finding.ts";

const WHERE = "DATABASE_URL";

/** Whether the schema is this release's, and open to the login. */
export function judgeSchema({ schema, deniedFunctions, login }: DatabaseFacts): Finding[] {
  const migrate = "DATABASE_URL=postgres://OWNER... keyturn migrate";
  const grant = `grant keyturn_app to ${login}`;
  const denied = deniedFunctions.length;
  switch (schema) {
    case "missing":
      return [wrong("schema_missing", WHERE, "has no schema of ours: it was not migrated", migrate)];
    case "unreadable":
      return [wrong("login_without_grants", WHERE, `${login} may not use the schema`, grant)];
    case "behind":
      return [wrong("schema_behind", WHERE, "lacks migrations of this release", migrate)];
    case "other_functions":
      return [
        wrong("schema_other", WHERE, "has functions or grants of another release", migrate),
        ...deniedFindings(denied, login, grant),
      ];
    case "newer":
      return [
        warning(
          "schema_newer",
          WHERE,
          "was migrated by a later release, which serves this one too",
          "finish the upgrade",
        ),
        ...deniedFindings(denied, login, grant),
      ];
    case "current":
      return denied === 0
        ? [ok("schema", WHERE, "has the schema of this release, and the login what it needs")]
        : deniedFindings(denied, login, grant);
  }
}

const deniedFindings = (count: number, login: string, todo: string): Finding[] =>
  count === 0
    ? []
    : [
        wrong(
          "login_without_execute",
          WHERE,
          `${login} may not call ${count} of the functions that a server calls`,
          todo,
        ),
      ];
