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
    if (!(err instanceof FaultError)) return "unreachable";
    if (err.fault.kind === "internal") return "migrations";
    // Our own queue is full, which says nothing against the database: an overload must not take every replica away.
    const isQueued = err.fault.kind === "unavailable" && err.fault.part === "database_queue";
    return isQueued ? "ready" : "unreachable";
  }
}
