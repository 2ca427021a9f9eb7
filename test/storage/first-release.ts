import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { readMigrationFiles } from "drizzle-orm/migrator";
import postgres from "postgres";
import type { TestDatabase } from "../support/database.ts";
import { type Account, freshCredentialId } from "./create-call.ts";

const MIGRATIONS = fileURLToPath(new URL("../../src/storage/migrations", import.meta.url));
const FUNCTIONS = new URL("./first-release.sql", import.meta.url);

/** Brings an empty database to where the first release left it. */
export async function installFirstRelease(db: Pick<TestDatabase, "ownerUrl">): Promise<void> {
  const [first] = readMigrationFiles({ migrationsFolder: MIGRATIONS });
  assert.ok(first);
  const owner = postgres(db.ownerUrl, { max: 1, onnotice: () => {} });
  try {
    await owner
      .unsafe(
        [
          "create schema keyturn",
          "create table keyturn.migrations (id serial primary key, hash text not null, created_at bigint)",
          ...first.sql,
          `insert into keyturn.migrations (hash, created_at) values ('${first.hash}', ${first.folderMillis})`,
          readFileSync(FUNCTIONS, "utf8"),
        ].join(";\n"),
      )
      .simple();
  } finally {
    await owner.end();
  }
}

/** A create as the first release did it: its audit row is hashed without details, and its account has the chain's head. */
export async function createByFirstRelease(
  sql: postgres.Sql,
  account: Account,
  clientAddress: string | null = "203.0.113.7",
): Promise<string> {
  const id = freshCredentialId();
  const [row] = await sql<{ outcome: string }[]>`
    select outcome from keyturn.create_credential(
      ${account.organizationId}, ${account.id}, ${id}, 'no-hash', 'hint', null, 7776000, 60, 31536000, 5,
      'https://issuer.example', 'user "one" 東京', ${clientAddress}, 'request-1', 10000)`;
  assert.equal(row?.outcome, "created");
  return id;
}
