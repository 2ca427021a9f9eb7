import { sql } from "drizzle-orm";
import { bigint, customType, index, inet, jsonb, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { bytea, instant, keyturn } from "./schema.ts";

const xid8 = customType<{ data: string }>({ dataType: () => "xid8" });

/**
 * What happened and what was refused, append-only. Each row's hash covers the row and the hash before it, in one chain a
 * service account (by its uid, so that an account recreated under the same id starts its own), and two of the
 * organization itself: under the uid of zeros, and for refused calls under that of ones. No foreign key: the trail outlives what it is about.
 */
export const auditEvents = keyturn.table(
  "audit_events",
  {
    organizationId: text("organization_id").notNull(),
    serviceAccountUid: uuid("service_account_uid").notNull(),
    sequence: bigint("sequence", { mode: "bigint" }).notNull(),
    occurredAt: instant("occurred_at").notNull(),
    action: text("action").notNull(),
    outcome: text("outcome").notNull(),
    serviceAccountId: text("service_account_id"),
    credentialId: text("credential_id"),
    actorIssuer: text("actor_issuer").notNull(),
    actorSubject: text("actor_subject").notNull(),
    clientAddress: inet("client_address"),
    requestId: text("request_id").notNull(),
    details: jsonb("details"),
    previousHash: bytea("previous_hash").notNull(),
    hash: bytea("hash").notNull(),
    /** Of the transaction that wrote it: what a listing over several pages can see of the trail is fixed by it. */
    transactionId: xid8("transaction_id").notNull().default(sql`pg_current_xact_id()`),
  },
  (table) => [
    primaryKey({
      name: "audit_events_pk",
      columns: [table.organizationId, table.serviceAccountUid, table.sequence],
    }),
    index("audit_events_by_time").on(
      table.organizationId,
      table.occurredAt,
      table.serviceAccountUid,
      table.sequence,
    ),
    index("audit_events_of_account_by_time").on(
      table.organizationId,
      table.serviceAccountId,
      table.occurredAt,
      table.serviceAccountUid,
      table.sequence,
    ),
  ],
);

/** The head of each audit chain: apart from the account, for it outlives that too. */
export const auditChains = keyturn.table(
  "audit_chains",
  {
    organizationId: text("organization_id").notNull(),
    serviceAccountUid: uuid("service_account_uid").notNull(),
    sequence: bigint("sequence", { mode: "bigint" }).notNull().default(sql`0`),
    hash: bytea("hash").notNull().default(sql`'\\x'`),
  },
  (table) => [
    primaryKey({ name: "audit_chains_pk", columns: [table.organizationId, table.serviceAccountUid] }),
  ],
);
