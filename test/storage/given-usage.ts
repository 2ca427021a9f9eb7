import type postgres from "postgres";
import type { Principal } from "../../src/domain/principal.ts";
import type { Database } from "../../src/storage/database.ts";
import type { Sql } from "../../src/storage/lane.ts";
import type { Account } from "./create-call.ts";

/** Instants in the past that differ by seconds: a later one is newer. */
export const at = (seconds: number): Date => new Date(Date.UTC(2026, 0, 1, 0, 0, seconds));

/** Whose secret was checked, and when. */
export const principalOf = (account: Account, credentialId: string, checkedAt: Date): Principal => ({
  organizationId: account.organizationId,
  serviceAccountId: account.id,
  serviceAccountUid: "",
  credentialId,
  credentialUid: "",
  scope: "organization",
  scopeId: account.organizationId,
  roles: [],
  expiresAt: checkedAt,
  checkedAt,
});

export interface UsageRow {
  readonly last_used_at: Date | null;
  readonly last_used_ip: string | null;
  readonly last_used_user_agent: string | null;
  readonly use_count: string;
  readonly last_refused_at: Date | null;
  readonly last_refused_reason: string | null;
  readonly last_refused_ip: string | null;
  readonly last_refused_user_agent: string | null;
  readonly refused_count: string;
}

/** What is stored of a credential's use. */
export async function usageOf(
  sql: postgres.Sql,
  credentialId: string,
): Promise<Partial<UsageRow> | undefined> {
  const [row] = await sql<UsageRow[]>`
    select last_used_at, last_used_ip, last_used_user_agent, use_count, last_refused_at, last_refused_reason,
           last_refused_ip, last_refused_user_agent, refused_count
      from keyturn.credential_usage where credential_id = ${credentialId}`;
  return row === undefined ? undefined : { ...row };
}

/** A use as it is sent to the database. */
export interface SentUse {
  readonly credential_id: string;
  readonly used_at?: Date;
  readonly used_ip?: string;
  readonly use_count: number;
  readonly refused_reason?: string;
  readonly refused_count: number;
}

export interface Write {
  readonly uses: readonly SentUse[];
  end(err?: unknown): void;
}

/** A database in memory that keeps what is written, each write ending when the test says so. */
export function givenWrites(): { readonly writes: readonly Write[]; readonly database: Database } {
  const writes: Write[] = [];
  const run = (_signal: AbortSignal, statement: (sql: Sql) => unknown) => {
    const sql = Object.assign(() => {}, {
      json: (uses: readonly SentUse[]) => {
        const { promise, resolve, reject } = Promise.withResolvers<never[]>();
        const end = (err?: unknown) => (err === undefined ? resolve([]) : reject(err));
        writes.push({ uses: structuredClone(uses), end });
        written = promise;
      },
    });
    let written: Promise<never[]> = Promise.resolve([]);
    statement(sql as unknown as Sql);
    return written;
  };
  const stats = () => ({ connections: 1, inUse: 0, queued: 0, shed: 0 });
  return {
    writes,
    database: { run: run as Database["run"], silenceMsMax: 60_000, stats, close: async () => {} },
  };
}
