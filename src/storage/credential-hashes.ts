import type { Principal } from "../domain/principal.ts";
import type { Database } from "./database.ts";
import { withTimeLimit } from "./time-limit.ts";

/** Puts a hash of today's cost in the place of the one that a secret was just checked by. */
export type ReplaceHash = (principal: Principal, oldHash: string, newHash: string) => Promise<void>;

const WRITE_TIMEOUT_MS = 5_000;

export const openCredentialHashes =
  (db: Database): ReplaceHash =>
  async ({ organizationId, serviceAccountId, credentialUid }, oldHash, newHash) => {
    await withTimeLimit(WRITE_TIMEOUT_MS, (signal) =>
      db.run(
        signal,
        (sql) => sql`select keyturn.rehash_credential(
        ${organizationId}, ${serviceAccountId}, ${credentialUid}, ${oldHash}, ${newHash})`,
      ),
    );
  };
