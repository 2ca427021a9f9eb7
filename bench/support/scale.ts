import type { BenchDatabase } from "./bench.ts";

export interface Scale {
  readonly accounts: number;
  readonly organizations: number;
}

const CREDENTIALS_OF_ACCOUNT = 5;
const HASH = `$argon2id$v=19$m=19456,t=2,p=1$${"c".repeat(22)}$${"h".repeat(43)}`;

/**
 * So many accounts `sa-1`, `sa-2` and so on with five credentials each. Neighbours are of different organizations, so that
 * those of one lie all over the table, as they come to lie in life.
 */
export async function givenRows({ sql }: BenchDatabase, scale: Scale): Promise<void> {
  await sql`set session_replication_role = replica`; // No foreign key is looked up row by row: the rows are right as written.
  await sql`set maintenance_work_mem = '512MB'`;
  await withoutPlainIndexes(sql, () => insertRows(sql, scale));
  await sql`reset maintenance_work_mem`;
  await sql`reset session_replication_role`;
  await sql`vacuum analyze keyturn.organizations, keyturn.service_accounts, keyturn.credentials,
                           keyturn.audit_chains`;
  await sql`checkpoint`;
}

/** Indexes are made in a fraction of the time when the rows are there. Those of constraints stay. */
async function withoutPlainIndexes(sql: BenchDatabase["sql"], insert: () => Promise<void>): Promise<void> {
  const indexes = await sql<{ name: string; definition: string }[]>`
    select indexrelid::regclass::text as name, pg_get_indexdef(indexrelid) as definition
      from pg_index
     where indrelid in ('keyturn.service_accounts'::regclass, 'keyturn.credentials'::regclass)
       and not exists (select from pg_constraint where conindid = indexrelid)`;
  for (const { name } of indexes) await sql.unsafe(`drop index ${name}`);
  await insert();
  for (const { definition } of indexes) await sql.unsafe(definition);
}

async function insertRows(sql: BenchDatabase["sql"], { accounts, organizations }: Scale): Promise<void> {
  await sql`
    insert into keyturn.organizations (id) select 'org-' || n from generate_series(1, ${organizations}::int) n`;
  await sql`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by, created_at)
    select 'org-' || 1 + (n - 1) % ${organizations}::int, 'sa-' || n, 'Bench', 'org-' || 1 + (n - 1) % ${organizations}::int, 'bench',
           clock_timestamp() - interval '1 year' + n * interval '1 second'
      from generate_series(1, ${accounts}::int) n`;
  for (let turn = 1; turn <= CREDENTIALS_OF_ACCOUNT; turn += 1)
    await sql`
      insert into keyturn.credentials
        (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at, expires_at)
      select 'org-' || 1 + (n - 1) % ${organizations}::int, 'sa-' || n, 'cred-' || substr(md5(n || '-' || ${turn}::int), 1, 20), ${HASH},
             'hint', 'bench', clock_timestamp() - interval '300 days' + n * interval '1 second',
             clock_timestamp() + interval '60 days' + n * interval '1 second'
        from generate_series(1, ${accounts}::int) n`;
  // To begin a chain costs more than to go on with it, and few creates of so many accounts would be an account's second.
  await sql`
    insert into keyturn.audit_chains (organization_id, service_account_uid, sequence, hash)
    select organization_id, uid, ${CREDENTIALS_OF_ACCOUNT}::int, sha256(uid::text::bytea) from keyturn.service_accounts`;
}
