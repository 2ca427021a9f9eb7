import type postgres from "postgres";
import { type Account, freshCredentialId } from "./create-call.ts";

/** Seconds before or after now, by the database's clock. */
export interface CredentialTimes {
  readonly id?: string;
  readonly ageSeconds?: number;
  readonly remainingSeconds?: number;
  readonly usedSecondsAgo?: number;
  /** Makes it a tombstone. */
  readonly deletedSecondsAgo?: number;
}

/** A credential that was made `ageSeconds` ago and has as long to live as told, by the database's clock. */
export async function givenCredential(
  sql: postgres.Sql,
  account: Account,
  times: CredentialTimes = {},
): Promise<string> {
  const { id = freshCredentialId(), ageSeconds = 1000, remainingSeconds = 1000, usedSecondsAgo } = times;
  await sql`
    insert into keyturn.credentials
      (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at, expires_at, deleted_at)
    values (${account.organizationId}, ${account.id}, ${id}, 'no-hash', 'hint', 'test',
      clock_timestamp() - make_interval(secs => ${ageSeconds}),
      clock_timestamp() + make_interval(secs => ${remainingSeconds}),
      clock_timestamp() - make_interval(secs => ${times.deletedSecondsAgo ?? null}))`;
  if (usedSecondsAgo !== undefined) {
    await sql`
      insert into keyturn.credential_usage (organization_id, service_account_id, credential_id, last_used_at)
      values (${account.organizationId}, ${account.id}, ${id},
        clock_timestamp() - make_interval(secs => ${usedSecondsAgo}))`;
  }
  return id;
}

/** Everything but the trail that a create could have changed about an account, to compare before with after. */
export async function traceOf(sql: postgres.Sql, account: Account): Promise<unknown> {
  return sql`
    select a.*,
           (select jsonb_agg(to_jsonb(c) order by c.id) from keyturn.credentials c
             where c.organization_id = a.organization_id and c.service_account_id = a.id) as credentials,
           (select count(*) from keyturn.replays r
             where r.organization_id = a.organization_id and r.service_account_id = a.id) as replays
      from keyturn.service_accounts a
     where a.organization_id = ${account.organizationId} and a.id = ${account.id}`;
}

/** What the trail of an account's organization says, oldest first: `credential.create succeeded`. */
export async function trailOf(
  sql: postgres.Sql,
  { organizationId }: Pick<Account, "organizationId">,
): Promise<string[]> {
  const rows = await sql<{ said: string }[]>`
    select action || ' ' || outcome as said from keyturn.audit_events
     where organization_id = ${organizationId} order by occurred_at, service_account_uid, sequence`;
  return rows.map(({ said }) => said);
}
