import { sql } from "drizzle-orm";
import { bigint, foreignKey, index, inet, primaryKey, text } from "drizzle-orm/pg-core";
import { credentials, instant, keyturn } from "./schema.ts";

/**
 * Last use and last refused use, apart from `credentials`, so that recording them never touches a row that a create or a
 * delete holds. Instants are those of the check, by the database's clock.
 */
export const credentialUsage = keyturn.table(
  "credential_usage",
  {
    organizationId: text("organization_id").notNull(),
    serviceAccountId: text("service_account_id").notNull(),
    credentialId: text("credential_id").notNull(),
    lastUsedAt: instant("last_used_at"),
    lastUsedIp: inet("last_used_ip"),
    lastUsedUserAgent: text("last_used_user_agent"),
    useCount: bigint("use_count", { mode: "bigint" }).notNull().default(sql`0`),
    lastRefusedAt: instant("last_refused_at"),
    lastRefusedReason: text("last_refused_reason"),
    lastRefusedIp: inet("last_refused_ip"),
    lastRefusedUserAgent: text("last_refused_user_agent"),
    refusedCount: bigint("refused_count", { mode: "bigint" }).notNull().default(sql`0`),
    /** The refused use that the last event told of. */
    refusedToldAt: instant("refused_told_at"),
  },
  (table) => [
    primaryKey({
      name: "credential_usage_pk",
      columns: [table.organizationId, table.serviceAccountId, table.credentialId],
    }),
    foreignKey({
      columns: [table.organizationId, table.serviceAccountId, table.credentialId],
      foreignColumns: [credentials.organizationId, credentials.serviceAccountId, credentials.id],
      name: "credential_usage_credential_fk",
    }).onDelete("cascade"),
    /** Those of which there is something to tell. A use that was allowed touches no column of it. */
    index("credential_usage_untold")
      .on(table.lastRefusedAt)
      .where(sql`${table.lastRefusedAt} > coalesce(${table.refusedToldAt}, '-infinity')`),
  ],
);
