import { sql } from "drizzle-orm";
import {
  bigint,
  check,
  customType,
  foreignKey,
  index,
  inet,
  integer,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  unique,
  uuid,
} from "drizzle-orm/pg-core";

/**
 * The tables. `organization_id` leads every primary key, foreign key and unique index, so that they shard by
 * organization without a change of code (docs/adr/0003). The application role may SELECT; only functions write.
 */
export const keyturn = pgSchema("keyturn");

const bytea = customType<{ data: Buffer }>({ dataType: () => "bytea" });
const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

/** One row a tenant. A policy column that is null means the server's own value, which comes with each call. */
export const organizations = keyturn.table(
  "organizations",
  {
    id: text("id").primaryKey(),
    uid: uuid("uid").notNull().defaultRandom(),
    createdAt: instant("created_at").notNull().default(sql`clock_timestamp()`),
    defaultLifetimeSeconds: integer("default_lifetime_seconds"),
    minLifetimeSeconds: integer("min_lifetime_seconds"),
    maxLifetimeSeconds: integer("max_lifetime_seconds"),
    activeCredentialsMax: integer("active_credentials_max"),
  },
  (table) => [
    check("organizations_lifetimes_ordered", sql`${table.minLifetimeSeconds} <= ${table.maxLifetimeSeconds}`),
    check("organizations_lifetimes_positive", sql`${table.minLifetimeSeconds} >= 1`),
    check("organizations_active_max_positive", sql`${table.activeCredentialsMax} >= 1`),
  ],
);

/** The row whose lock orders everything that happens to an account, and that carries the head of its audit chain. */
export const serviceAccounts = keyturn.table(
  "service_accounts",
  {
    organizationId: text("organization_id")
      .notNull()
      .references(() => organizations.id),
    id: text("id").notNull(),
    uid: uuid("uid").notNull().defaultRandom(),
    displayName: text("display_name").notNull(),
    description: text("description"),
    scope: text("scope", { enum: ["organization", "project"] })
      .notNull()
      .default("organization"),
    scopeId: text("scope_id").notNull(),
    roles: text("roles").array().notNull().default(sql`'{}'`),
    status: text("status", { enum: ["active", "disabled"] })
      .notNull()
      .default("active"),
    createdBy: text("created_by").notNull(),
    createdAt: instant("created_at").notNull().default(sql`clock_timestamp()`),
    updatedAt: instant("updated_at").notNull().default(sql`clock_timestamp()`),
    auditSequence: bigint("audit_sequence", { mode: "bigint" }).notNull().default(sql`0`),
    auditHash: bytea("audit_hash").notNull().default(sql`'\\x'`),
  },
  (table) => [
    primaryKey({ name: "service_accounts_pk", columns: [table.organizationId, table.id] }),
    unique("service_accounts_uid_unique").on(table.organizationId, table.uid),
    check("service_accounts_id_shape", sql`${table.id} ~ '^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$'`),
    check("service_accounts_scope_known", sql`${table.scope} in ('organization', 'project')`),
    check("service_accounts_status_known", sql`${table.status} in ('active', 'disabled')`),
  ],
);

/** Issued secrets: an argon2id PHC string and the last four characters, never the secret. */
export const credentials = keyturn.table(
  "credentials",
  {
    organizationId: text("organization_id").notNull(),
    serviceAccountId: text("service_account_id").notNull(),
    id: text("id").notNull(),
    uid: uuid("uid").notNull().defaultRandom(),
    secretHash: text("secret_hash").notNull(),
    hint: text("hint").notNull(),
    createdBy: text("created_by").notNull(),
    createdAt: instant("created_at").notNull(),
    expiresAt: instant("expires_at").notNull(),
  },
  (table) => [
    primaryKey({
      name: "credentials_pk",
      columns: [table.organizationId, table.serviceAccountId, table.id],
    }),
    foreignKey({
      columns: [table.organizationId, table.serviceAccountId],
      foreignColumns: [serviceAccounts.organizationId, serviceAccounts.id],
      name: "credentials_service_account_fk",
    }).onDelete("cascade"),
    /** Counts the active ones in one short range, however many have expired. */
    index("credentials_by_expiry").on(table.organizationId, table.serviceAccountId, table.expiresAt),
    check("credentials_expires_after_creation", sql`${table.expiresAt} > ${table.createdAt}`),
  ],
);

/** Last use, apart from `credentials`, so that recording it never touches a row that a create or a delete holds. */
export const credentialUsage = keyturn.table(
  "credential_usage",
  {
    organizationId: text("organization_id").notNull(),
    serviceAccountId: text("service_account_id").notNull(),
    credentialId: text("credential_id").notNull(),
    lastUsedAt: instant("last_used_at").notNull(),
    lastUsedIp: inet("last_used_ip"),
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
  ],
);

/**
 * What happened, append-only. Each row's hash covers the row and the hash before it, in one chain a service account
 * (by its uid, so that an account recreated under the same id starts its own). No foreign key: the trail outlives
 * what it is about.
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
    serviceAccountId: text("service_account_id").notNull(),
    credentialId: text("credential_id"),
    actorIssuer: text("actor_issuer").notNull(),
    actorSubject: text("actor_subject").notNull(),
    clientAddress: inet("client_address"),
    requestId: text("request_id").notNull(),
    previousHash: bytea("previous_hash").notNull(),
    hash: bytea("hash").notNull(),
  },
  (table) => [
    primaryKey({
      name: "audit_events_pk",
      columns: [table.organizationId, table.serviceAccountUid, table.sequence],
    }),
    index("audit_events_by_time").on(table.organizationId, table.occurredAt),
  ],
);
