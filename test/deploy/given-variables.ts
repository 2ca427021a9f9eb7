import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { variablesOf } from "../../src/config-schema.ts";
import { type Scope, startCommand } from "../cli/keyturn-command.ts";
import { givenDatabase } from "../support/database.ts";
import { startIssuer } from "../support/issuer.ts";
import { ROOT_KEY } from "../support/keyturn.ts";
import { givenFolder } from "./edge-process.ts";

/** What is of the place and not of the file: addresses, and what lies behind them. */
const FREE_PORTS = { KEYTURN_GRPC_PORT: "0", KEYTURN_HTTP_PORT: "0", KEYTURN_ADMIN_PORT: "0" };
/** What Node, the C library and the command read. */
const OTHERS = ["NODE_ENV", "MALLOC_ARENA_MAX", "KEYTURN_ROOT_KEY_FILE"];
const LOOPBACK = { KEYTURN_HOST: "127.0.0.1", KEYTURN_ADMIN_HOST: "127.0.0.1" };

/**
 * Asserts that Keyturn knows every variable, and that a server with them becomes ready: with a database, an issuer and a
 * root key in place of those that they name, and these paths answered 200 at its admin door.
 * @param referred names of variables whose values are secrets of the place.
 * @param given the database; default: one of its own.
 */
export async function assertServes(
  scope: Scope,
  variables: Readonly<Record<string, string>>,
  referred: readonly string[],
  paths: readonly string[],
  given?: { readonly serverUrl: string },
): Promise<void> {
  const known = Object.values(variablesOf(true, 2)).flatMap((group) => Object.keys(group));
  for (const name of [...Object.keys(variables), ...referred])
    assert.ok([...known, ...OTHERS].includes(name), `there is no ${name}`);
  assert.ok(referred.includes("DATABASE_URL") && referred.includes("KEYTURN_ROOT_KEY_FILE"));

  const db = given ?? (await databaseFor(scope));
  const issuer = await startIssuer();
  scope.after(() => issuer.stop());
  const rootKeyFile = join(givenFolder(scope), "root-key");
  writeFileSync(rootKeyFile, ROOT_KEY);
  const place = {
    DATABASE_URL: db.serverUrl,
    KEYTURN_ROOT_KEY_FILE: rootKeyFile,
    KEYTURN_OIDC_ISSUER: issuer.url,
  };
  const env = { ...variables, ...FREE_PORTS, ...LOOPBACK, ...place, KEYTURN_DRAIN_GRACE: "0s" };
  const server = startCommand(scope, ["serve"], env);
  const at = await server.lineWith((line) => (line.includes('"listening"') ? JSON.parse(line) : undefined));
  for (const path of paths) {
    const answered = async () => (await fetch(`http://${at.admin}${path}`)).status;
    while ((await answered()) !== 200) await new Promise((resolve) => setTimeout(resolve, 50));
  }
  server.kill("SIGTERM");
  assert.equal(await server.ended, 0);
}

async function databaseFor(scope: Scope): Promise<{ readonly serverUrl: string }> {
  const db = await givenDatabase();
  scope.after(() => db.drop());
  return db;
}
