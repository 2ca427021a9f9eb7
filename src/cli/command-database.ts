import { type Database, openDatabase } from "../storage/database.ts";
import { failureWords } from "../storage/failure.ts";
import { EXIT } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

const STATEMENT_TIMEOUT_MS = 600_000;
const LOCK_TIMEOUT_MS = 10_000;

/** Runs a command's work on one connection. What goes wrong with the database is one line, and `EXIT.unknown`. */
export async function withDatabase(
  terminal: Terminal,
  work: (db: Database) => Promise<number>,
): Promise<number> {
  try {
    const db = openCommandDatabase(await databaseUrlOf(terminal));
    try {
      return await work(db);
    } finally {
      await db.close(0);
    }
  } catch (err) {
    terminal.err(`keyturn: ${failureWords(err)}\n`);
    return EXIT.unknown;
  }
}

/** In development also the embedded database, while a server runs on it: nobody else knows its port and logins. */
async function databaseUrlOf(terminal: Terminal): Promise<string> {
  if (terminal.production) return terminal.databaseUrl(EXIT.unknown);
  const { databaseUrl, dataDir } = terminal.config(EXIT.unknown);
  if (databaseUrl !== undefined) return databaseUrl;
  const { runningDevelopmentDatabase } = await import("../dev/development-database.ts");
  const embedded = await runningDevelopmentDatabase(dataDir);
  if (embedded !== undefined) return embedded;
  throw new Error(`set DATABASE_URL, or let a development server run on ${dataDir} meanwhile`);
}

const openCommandDatabase = (url: string): Database =>
  openDatabase({
    url,
    connectionsMax: 1,
    connectionsOfGroupMax: 1,
    queueMax: 1,
    queueWaitMsMax: STATEMENT_TIMEOUT_MS,
    groupWaitMsMax: STATEMENT_TIMEOUT_MS,
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    lockTimeoutMs: LOCK_TIMEOUT_MS,
    cancelGraceMs: 0,
  });
