import { index, jsonb, primaryKey, text } from "drizzle-orm/pg-core";
import { bytea, instant, keyturn } from "./schema.ts";

/**
 * Keys that sign access tokens, for all organizations. The private part is sealed under a key that is derived from the
 * operator's root key. A key is published before it signs, and for as long as a token that it signed may live.
 */
export const signingKeys = keyturn.table(
  "signing_keys",
  {
    kid: text("kid").primaryKey(),
    publicJwk: jsonb("public_jwk").notNull(),
    sealedPrivateKey: bytea("sealed_private_key").notNull(),
    createdAt: instant("created_at").notNull(),
    signsFrom: instant("signs_from").notNull(),
  },
  (table) => [index("signing_keys_by_beginning").on(table.signsFrom)],
);

/** Access tokens that were revoked before their time, until they would have expired. */
export const revokedTokens = keyturn.table(
  "revoked_tokens",
  {
    organizationId: text("organization_id").notNull(),
    jti: text("jti").notNull(),
    expiresAt: instant("expires_at").notNull(),
  },
  (table) => [
    primaryKey({ name: "revoked_tokens_pk", columns: [table.organizationId, table.jti] }),
    index("revoked_tokens_by_expiry").on(table.expiresAt),
  ],
);
