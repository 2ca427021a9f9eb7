import argon2 from "argon2";
import postgres from "postgres";
import type { TestDatabase } from "./database.ts";

export interface AccountName {
  readonly organizationId: string;
  readonly id: string;
}

export interface StoredCredential {
  readonly id: string;
  readonly secretHash: string;
}

/** The credentials of an account whose secrets hold now, asked of the tables and not of the service. */
export async function liveCredentials(sql: postgres.Sql, account: AccountName): Promise<StoredCredential[]> {
  return sql<StoredCredential[]>`
    select id, secret_hash as "secretHash" from keyturn.credentials
     where organization_id = ${account.organizationId} and service_account_id = ${account.id}
       and deleted_at is null and expires_at > clock_timestamp()
     order by created_at, id`;
}

/** The ids of the live credentials that these secrets open; a secret that opens none is told by its place. */
export async function openedBy(
  secrets: readonly string[],
  live: readonly StoredCredential[],
): Promise<string[]> {
  return Promise.all(
    secrets.map(async (secret, place) => {
      const stored = live.find(({ id }) => secret.includes(`_${id}_`));
      const isOpen = stored !== undefined && (await argon2.verify(stored.secretHash, secret));
      return isOpen ? stored.id : `secret ${place} opens nothing`;
    }),
  );
}

/** Looks at an account again and again, from outside and on a connection of its own, until it is told to stop. */
export interface Lookout {
  /** The most live credentials that were ever seen at one instant, and how often somebody looked. */
  stop(): Promise<{ readonly liveMax: number; readonly looks: number }>;
}

export function watchLive(db: Pick<TestDatabase, "superuserUrl">, account: AccountName): Lookout {
  const sql = postgres(db.superuserUrl, { max: 1, onnotice: () => {} });
  let stopped = false;
  const watching = (async () => {
    let liveMax = 0;
    let looks = 0;
    while (!stopped || looks === 0) {
      liveMax = Math.max(liveMax, (await liveCredentials(sql, account)).length);
      looks += 1;
    }
    return { liveMax, looks };
  })();
  return {
    async stop() {
      stopped = true;
      const seen = await watching;
      await sql.end({ timeout: 1 });
      return seen;
    },
  };
}
