import { randomBytes } from "node:crypto";
import type postgres from "postgres";

/** The arguments of `keyturn.create_credential` that a test may care about. */
export interface CreateCall {
  readonly credentialId: string;
  readonly expiresAt: Date | string | null;
  readonly defaultSeconds: number;
  readonly minSeconds: number;
  readonly maxSeconds: number;
  readonly activeMax: number;
  readonly issuer: string;
  readonly subject: string;
  readonly clientAddress: string | null;
  readonly requestId: string;
  readonly budgetMs: number;
}

export interface CreateRow {
  readonly outcome: string;
  readonly uid: string | null;
  readonly created_at: Date | null;
  readonly expires_at: Date | null;
  readonly bound: Date | null;
  readonly bound_seconds: number | null;
  readonly active_max: number | null;
  readonly active_count: number | null;
  readonly safest_to_delete: string | null;
}

export interface Account {
  readonly organizationId: string;
  readonly id: string;
}

export const DAY_SECONDS = 86_400;

/** Calls the function as the server does, with the server's standard policy unless told otherwise. */
export async function callCreate(
  sql: postgres.Sql,
  account: Account,
  call: Partial<CreateCall> = {},
): Promise<CreateRow> {
  const all = { ...standardCall(), ...call };
  const [row] = await sql<CreateRow[]>`
    select * from keyturn.create_credential(
      ${account.organizationId}, ${account.id}, ${all.credentialId}, 'no-hash', 'hint', ${all.expiresAt},
      ${all.defaultSeconds}, ${all.minSeconds}, ${all.maxSeconds}, ${all.activeMax},
      ${all.issuer}, ${all.subject}, ${all.clientAddress}, ${all.requestId}, ${all.budgetMs})`;
  if (row === undefined) throw new Error("the function returned no row");
  return row;
}

function standardCall(): CreateCall {
  return {
    credentialId: freshCredentialId(),
    expiresAt: null,
    defaultSeconds: 90 * DAY_SECONDS,
    minSeconds: 60,
    maxSeconds: 365 * DAY_SECONDS,
    activeMax: 5,
    issuer: "https://issuer.example",
    subject: "user-admin-001",
    clientAddress: null,
    requestId: "request-1",
    budgetMs: 10_000,
  };
}

export const freshCredentialId = (): string => `cred-${randomBytes(10).toString("hex")}`;

/** A credential that was made `ageSeconds` ago and has as long to live as told, by the database's clock. */
export async function givenCredential(
  sql: postgres.Sql,
  account: Account,
  options: { id?: string; ageSeconds?: number; remainingSeconds?: number; usedSecondsAgo?: number } = {},
): Promise<string> {
  const { id = freshCredentialId(), ageSeconds = 1000, remainingSeconds = 1000, usedSecondsAgo } = options;
  await sql`
    insert into keyturn.credentials
      (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at, expires_at)
    values (${account.organizationId}, ${account.id}, ${id}, 'no-hash', 'hint', 'test',
      clock_timestamp() - make_interval(secs => ${ageSeconds}),
      clock_timestamp() + make_interval(secs => ${remainingSeconds}))`;
  if (usedSecondsAgo !== undefined) {
    await sql`
      insert into keyturn.credential_usage (organization_id, service_account_id, credential_id, last_used_at)
      values (${account.organizationId}, ${account.id}, ${id},
        clock_timestamp() - make_interval(secs => ${usedSecondsAgo}))`;
  }
  return id;
}

/** Everything that a create could have changed about an account, to compare before with after. */
export async function traceOf(sql: postgres.Sql, account: Account): Promise<unknown> {
  return sql`
    select a.audit_sequence, a.audit_hash, a.updated_at,
           (select count(*) from keyturn.credentials c
             where c.organization_id = a.organization_id and c.service_account_id = a.id) as credentials,
           (select count(*) from keyturn.audit_events e where e.service_account_uid = a.uid) as events
      from keyturn.service_accounts a
     where a.organization_id = ${account.organizationId} and a.id = ${account.id}`;
}
