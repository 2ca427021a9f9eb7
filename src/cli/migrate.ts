import { type MigrationResult, migrate } from "../storage/migrate.ts";
import type { Terminal } from "./terminal.ts";

export async function runMigrate(terminal: Terminal): Promise<number> {
  const { kind } = await migrate(terminal.databaseUrl());
  terminal.out(`${WORDS[kind]}\n`);
  return 0;
}

const WORDS: Record<MigrationResult["kind"], string> = {
  migrated: "The database has the schema of this release now.",
  up_to_date: "The database had the schema of this release already.",
  newer: "The database has the schema of a later release, which serves this one too. Nothing was changed.",
  migrated_without_app_role:
    "The database has the schema of this release now, but the role keyturn_app is missing and this login may not create it. " +
    "Have it created (create role keyturn_app nologin) and migrate again before a server starts.",
};
