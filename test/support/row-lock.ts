import postgres from "postgres";
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
