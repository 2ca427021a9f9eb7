import { sql } from "drizzle-orm";
import { bigint, boolean, check, index, integer, jsonb, primaryKey, text, uuid } from "drizzle-orm/pg-core";
import { instant, keyturn } from "./schema.ts";

/**
 * What is still to be told to the webhook (docs/adr/0017): a row goes once it was accepted. Each service account has a queue
 * of its own, by its uid, and so has what is about the organization itself, under the uid of zeros. No foreign key: the
 * news of a delete outlives what was deleted.
 */
export const events = keyturn.table(
  "events",
  {
    organizationId: text("organization_id").notNull(),
    serviceAccountUid: uuid("service_account_uid").notNull(),
    /** Drawn under the lock that orders what happens to the account, so that a queue is in the order of its commits. */
    sequence: bigint("sequence", { mode: "bigint" }).generatedAlwaysAsIdentity(),
    id: uuid("id").notNull().defaultRandom(),
    type: text("type").notNull(),
    occurredAt: instant("occurred_at").notNull(),
    serviceAccountId: text("service_account_id"),
    credentialId: text("credential_id"),
    data: jsonb("data").notNull(),
    attempts: integer("attempts").notNull().default(0),
    /** When to send it next; null for all but the first of a queue. Whoever takes one puts this off, and so holds it. */
    dueAt: instant("due_at"),
  },
  (table) => [
    primaryKey({
      name: "events_pk",
      columns: [table.organizationId, table.serviceAccountUid, table.sequence],
    }),
    index("events_due").on(table.dueAt).where(sql`${table.dueAt} is not null`),
  ],
);

/** One row at most: until when events are written at all. Servers that have a webhook put it off again and again. */
export const eventDelivery = keyturn.table(
  "event_delivery",
  {
    isOnly: boolean("is_only").primaryKey().default(true),
    wantedUntil: instant("wanted_until").notNull(),
  },
  (table) => [check("event_delivery_is_one", sql`${table.isOnly}`)],
);

/** For each number of days before an expiry: up to which credential, in the order of expiry, it has been told. */
export const expiryNotices = keyturn.table("expiry_notices", {
  daysLeft: integer("days_left").primaryKey(),
  toldExpiresAt: instant("told_expires_at").notNull(),
  toldCredentialId: text("told_credential_id").notNull().default(""),
});
