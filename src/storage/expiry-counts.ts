import type { Counts } from "./count-watch.ts";
import type { Database } from "./database.ts";

export const EXPIRY_WINDOWS_DAYS = [1, 7, 14, 30] as const;

const WINDOW = `interval '${Math.max(...EXPIRY_WINDOWS_DAYS)} days'`;

/** How many credentials that hold now will have expired in so many days, by the days. */
export type ExpiryCounts = Counts<number>;

/**
 * One range of an index, whatever the number of credentials that expire later. Revoked ones are not counted. The end of the
 * range is written out, so that the planner knows how much that is (docs/adr/0025).
 */
export async function countExpiries(db: Database, signal: AbortSignal): Promise<ExpiryCounts> {
  const rows = await db.run<{ days: number; count: string }>(
    signal,
    (sql) => sql`
      select w.days, count(c.expires_at)
        from unnest(${[...EXPIRY_WINDOWS_DAYS].map(String)}::text[]::integer[]) w (days)
        left join (
          select c.expires_at
            from keyturn.credentials c
            join keyturn.service_accounts a on a.organization_id = c.organization_id and a.id = c.service_account_id
            join keyturn.organizations o on o.id = c.organization_id
           where c.deleted_at is null and c.leaked_at is null and c.expires_at > statement_timestamp()
             and c.expires_at <= statement_timestamp() + ${sql.unsafe(WINDOW)}
             and c.created_at >= coalesce(keyturn.revoked_before(a, o), '-infinity')) c
          on c.expires_at <= statement_timestamp() + make_interval(days => w.days)
       group by w.days`,
  );
  return new Map(rows.map(({ days, count }) => [days, Number(count)]));
}
