import { randomUUID } from "node:crypto";
import postgres from "postgres";
import type { TestDatabase } from "../support/database.ts";

/** A transaction of somebody slow: it has written an audit event, and has not committed yet. */
export interface SlowWriter {
  commit(): Promise<void>;
}

export async function appendSlowly(
  db: Pick<TestDatabase, "superuserUrl">,
  organizationId: string,
  requestId: string,
): Promise<SlowWriter> {
  const sql = postgres(db.superuserUrl, { max: 1, onnotice: () => {} });
  await sql.unsafe("begin");
  // In a chain of its own, so that nobody waits for it.
  await sql`select keyturn.append_audit_event(
    row(${organizationId}, 'issuer', 'slow', null, null, ${requestId}, 10000, false)::keyturn.caller,
    ${randomUUID()}, 'sa-slow', null, 'credential.create', 'succeeded', null)`;
  return {
    async commit() {
      await sql.unsafe("commit");
      await sql.end({ timeout: 1 });
    },
  };
}
