import type { Foundations } from "../compose.ts";
import { rotateSigningKey } from "../rotate-signing-key.ts";
import { withDatabase } from "./command-database.ts";
import { EXIT } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

/** Adds the next key that signs access tokens, and says which it is and from when on it signs. */
export async function runKeysRotate(terminal: Terminal, isUrgent: boolean): Promise<number> {
  return withDatabase(terminal, async (db) => {
    const { isAdded, kid, signsFrom } = await rotateSigningKey(db, await rootKeysOf(terminal), isUrgent);
    const from = signsFrom.toISOString();
    terminal.out(
      isAdded
        ? `Key ${kid} signs from ${from} on.\n`
        : `Key ${kid} is published already and signs from ${from} on. Nothing was added.\n`,
    );
    return EXIT.yes;
  });
}

/** In development the data folder's own, unless others are configured. */
async function rootKeysOf(terminal: Terminal): Promise<Foundations["rootKeys"]> {
  if (terminal.production) return terminal.rootKeys(EXIT.unknown);
  const { rootKeys, dataDir } = terminal.config(EXIT.unknown);
  if (rootKeys !== undefined) return rootKeys;
  const { developmentRootKeys } = await import("../dev/development.ts");
  return developmentRootKeys(dataDir);
}
