import { isNotNull, isNull, sql } from "drizzle-orm";
import {
  check,
  cidr,
  customType,
  foreignKey,
  index,
  integer,
  jsonb,
  pgSchema,
  primaryKey,
  text,
  timestamp,
  unique,
  uuid,
} from "drizzle-orm/pg-core";

/**
 * The tables, but for those of the audit trail. `organization_id` leads every primary key, foreign key and unique index, so that they shard by
 * organization without a change of code (docs/adr/0003). The application role may SELECT; only functions write.
 */
export const keyturn = pgSchema("keyturn");

export const bytea = customType<{ data: Buffer }>({ dataType: () => "bytea" });
export const instant = (name: string) => timestamp(name, { withTimezone: true, precision: 3 });

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
    credentialCreation: text("credential_creation", { enum: ["allowed", "denied"] })
      .notNull()
      .default("allowed"),
    policyRevision: integer("policy_revision").notNull().default(0),
    policyUpdatedAt: instant("policy_updated_at"),
    status: text("status", { enum: ["active", "suspended", "deleted"] })
      .notNull()
      .default("active"),
    /** Credentials that were created before are revoked, but for those of the accounts in `revocation_exemptions`. */
    credentialsRevokedBefore: instant("credentials_revoked_before"),
    /** Uids of accounts that the last revocation spared, each with the instant that held for it until then, or null. */
    revocationExemptions: jsonb("revocation_exemptions").notNull().default({}),
  },
  (table) => [
    check("organizations_lifetimes_ordered", sql`${table.minLifetimeSeconds} <= ${table.maxLifetimeSeconds}`),
    check("organizations_lifetimes_positive", sql`${table.minLifetimeSeconds} >= 1`),
    check("organizations_active_max_positive", sql`${table.activeCredentialsMax} >= 1`),
    check("organizations_creation_known", sql`${table.credentialCreation} in ('allowed', 'denied')`),
    check("organizations_status_known", sql`${table.status} in ('active', 'suspended', 'deleted')`),
  ],
);

/** The row whose lock orders everything that happens to an account. */
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
    /** Counts its changes, for the etag. */
    revision: integer("revision").notNull().default(0),
    credentialsRevokedBefore: instant("credentials_revoked_before"),
  },
  (table) => [
    primaryKey({ name: "service_accounts_pk", columns: [table.organizationId, table.id] }),
    unique("service_accounts_uid_unique").on(table.organizationId, table.uid),
    index("service_accounts_by_creation").on(table.organizationId, table.createdAt, table.id),
    index("service_accounts_by_revocation")
      .on(table.organizationId, table.credentialsRevokedBefore)
      .where(isNotNull(table.credentialsRevokedBefore)),
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
    /** In the order of creation, so that it may lie ahead of the clock, or even of the end, once that was set back. */
    createdAt: instant("created_at").notNull(),
    expiresAt: instant("expires_at").notNull(),
    displayName: text("display_name"),
    labels: jsonb("labels").notNull().default({}),
    notBefore: instant("not_before"),
    /** Ranges from which the secret is accepted; empty for everywhere. */
    allowedCidrs: cidr("allowed_cidrs").array().notNull().default(sql`'{}'`),
    /** Set by a delete: the row stays for a while, seen by nobody, so that later uses of its secret can be told apart. */
    deletedAt: instant("deleted_at"),
    /** Set when somebody turned its secret in: revoked from then on, for good. */
    leakedAt: instant("leaked_at"),
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
    /** Counts the live ones in one short range, however many have expired. */
    index("credentials_by_expiry")
      .on(table.organizationId, table.serviceAccountId, table.expiresAt)
      .where(isNull(table.deletedAt)),
    /** Open to statements that ask for `created_at > '-infinity'` only: the live ones are never to be looked for by it. */
    index("credentials_by_creation")
      .on(table.organizationId, table.serviceAccountId, table.createdAt, table.id)
      .where(sql`${table.deletedAt} is null and ${table.createdAt} > '-infinity'`),
    /** For the kill switch of an organization, which asks for the newest of all: for `created_at < 'infinity'`, as no other. */
    index("credentials_of_organization_by_creation")
      .on(table.organizationId, table.createdAt)
      .where(sql`${table.deletedAt} is null and ${table.createdAt} < 'infinity'`),
    /** Counts those that expire soon, whosever they are. */
    index("credentials_by_expiry_alone").on(table.expiresAt).where(isNull(table.deletedAt)),
    /** Finds the newest of an account that was turned in, for its list of revoked ones. */
    index("credentials_leaked")
      .on(table.organizationId, table.serviceAccountId, table.createdAt)
      .where(sql`${table.leakedAt} is not null and ${table.deletedAt} is null`),
    /** A secret names its credential, and nothing else. */
    index("credentials_by_id").on(table.id),
    index("credentials_by_deletion").on(table.deletedAt).where(isNotNull(table.deletedAt)),
  ],
);

/**
 * Creates and rotates that may be repeated (docs/adr/0010). Of the request id there is a hash only; the secret is sealed
 * under a key that comes from the id itself. Goes with its account, but outlives its credential: a retry after a delete
 * must not create again.
 */
export const replays = keyturn.table(
  "replays",
  {
    organizationId: text("organization_id").notNull(),
    requestHash: bytea("request_hash").notNull(),
    /** SHA-256 of the request: another one under the same id is refused. */
    bodyHash: bytea("body_hash").notNull(),
    serviceAccountId: text("service_account_id").notNull(),
    credentialId: text("credential_id").notNull(),
    replacedCredentialId: text("replaced_credential_id"),
    /** Null once its time is over. */
    sealedSecret: bytea("sealed_secret"),
    createdAt: instant("created_at").notNull(),
  },
  (table) => [
    primaryKey({ name: "replays_pk", columns: [table.organizationId, table.requestHash] }),
    foreignKey({
      columns: [table.organizationId, table.serviceAccountId],
      foreignColumns: [serviceAccounts.organizationId, serviceAccounts.id],
      name: "replays_service_account_fk",
    }).onDelete("cascade"),
    index("replays_by_credential").on(table.organizationId, table.serviceAccountId, table.credentialId),
    index("replays_by_age").on(table.createdAt),
  ],
);
