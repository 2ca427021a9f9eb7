import { readFileSync } from "node:fs";
import { FaultError } from "../domain/fault.ts";
import type { Database } from "./database.ts";

const JOURNAL = new URL("./migrations/meta/_journal.json", import.meta.url);

/** When the newest migration of this release was written: what the database must have reached. */
const newestMigration: number = Math.max(
  ...(JSON.parse(readFileSync(JOURNAL, "utf8")) as { entries: { when: number }[] }).entries.map(
    ({ when }) => when,
  ),
);

/** Whether the database answers, in one word if it does not do what this release needs. */
export type DatabaseState = "ready" | "unreachable" | "migrations";

export async function databaseState(db: Database, signal: AbortSignal): Promise<DatabaseState> {
  try {
    const [row] = await db.run<{ migrated: boolean }>(
      signal,
      (sql) => sql`
        select exists (select from keyturn.migrations where created_at >= ${newestMigration}) as migrated`,
    );
    return row?.migrated === true ? "ready" : "migrations";
  } catch (err) {
    // A database that answers, but knows no such table or does not let this login read it, was not migrated for it.
    return err instanceof FaultError && err.fault.kind === "internal" ? "migrations" : "unreachable";
  }
}

/** Rights that would let a defect of the server undo what the functions promise. @throws FaultError */
export async function excessiveRights(db: Database, signal: AbortSignal): Promise<readonly string[]> {
  const [row] = await db.run<{ superuser: boolean; bypassrls: boolean }>(
    signal,
    (sql) =>
      sql`select rolsuper as superuser, rolbypassrls as bypassrls from pg_roles where rolname = current_user`,
  );
  return [
    ...(row?.superuser === true ? ["SUPERUSER"] : []),
    ...(row?.bypassrls === true ? ["BYPASSRLS"] : []),
  ];
}
