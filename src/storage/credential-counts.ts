import type { Counts } from "./count-watch.ts";
import type { Database } from "./database.ts";

export type CredentialState = "active" | "expired" | "deleted";

/**
 * Every credential that is stored. Two indexes have all that it takes, so that no row is read; for that, those which a
 * revocation of all has ended count as what they were.
 */
export async function countStates(db: Database, signal: AbortSignal): Promise<Counts<CredentialState>> {
  const [row] = await db.run<Record<CredentialState, string>>(
    signal,
    (sql) => sql`
      select count(*) filter (where expires_at > statement_timestamp()) as active,
             count(*) filter (where expires_at <= statement_timestamp()) as expired,
             (select count(*) from keyturn.credentials where deleted_at is not null) as deleted
        from keyturn.credentials
       where deleted_at is null`,
  );
  const { active = "0", expired = "0", deleted = "0" } = row ?? {};
  return new Map([
    ["active", Number(active)],
    ["expired", Number(expired)],
    ["deleted", Number(deleted)],
  ]);
}
