import postgres from "postgres";
import type { ORGANIZATION_CHAIN, REFUSED_CALLS_CHAIN } from "../../src/domain/audit-event.ts";
import type { TestDatabase } from "./database.ts";

/** Holds an account's row as another create would, on a connection of its own, until released. */
export async function holdAccount(
  db: Pick<TestDatabase, "superuserUrl">,
  account: { readonly organizationId: string; readonly id: string },
): Promise<{ release(): Promise<void> }> {
  const sql = postgres(db.superuserUrl, { max: 1, onnotice: () => {} });
  await sql.unsafe("begin");
  await sql`
    select from keyturn.service_accounts
     where organization_id = ${account.organizationId} and id = ${account.id} for update`;
  return {
    async release() {
      await sql.unsafe("rollback");
      await sql.end({ timeout: 1 });
    },
  };
}

/** Holds the head of one of an organization's own chains, in whose order its records are written, until released. */
export async function holdChain(
  db: Pick<TestDatabase, "superuserUrl">,
  organizationId: string,
  uid: typeof ORGANIZATION_CHAIN | typeof REFUSED_CALLS_CHAIN,
): Promise<{ release(): Promise<void> }> {
  const sql = postgres(db.superuserUrl, { max: 1, onnotice: () => {} });
  await sql`insert into keyturn.audit_chains (organization_id, service_account_uid)
            values (${organizationId}, ${uid}) on conflict do nothing`;
  await sql.unsafe("begin");
  await sql`
    select from keyturn.audit_chains
     where organization_id = ${organizationId} and service_account_uid = ${uid} for update`;
  return {
    async release() {
      await sql.unsafe("rollback");
      await sql.end({ timeout: 1 });
    },
  };
}
