import { z } from "zod";
import {
  audience,
  databaseUrl,
  issuerName,
  issuers,
  LIFETIMES,
  lifetime,
  list,
  port,
  rootKeys,
  trustedProxies,
  whole,
} from "./config-values.ts";
import { DEFAULT_POLICY } from "./domain/policy.ts";
import { SECRET_PREFIX_DEFAULT, SECRET_PREFIX_PATTERN } from "./domain/secret.ts";

const MISSING = "is required in production";

const TOMBSTONE_RETENTION_SECONDS = 30 * 86_400;
const EXPIRY_WARNING_SECONDS = 14 * 86_400;
const SIGNING_KEY_SECONDS = 30 * 86_400;

/** Every variable: its form, its bounds, its default. What is required in production may be absent elsewhere. */
export function schemaOf(production: boolean, cores: number) {
  const required = <T extends z.ZodType>(type: T) => (production ? type : type.optional());
  return z.object({
    KEYTURN_HOST: z.string().default("127.0.0.1"),
    KEYTURN_ADMIN_HOST: z.string().default("127.0.0.1"),
    KEYTURN_GRPC_PORT: port(50_051),
    KEYTURN_HTTP_PORT: port(8080),
    KEYTURN_ADMIN_PORT: port(9090),
    KEYTURN_TRUSTED_PROXIES: trustedProxies.default([]),
    DATABASE_URL: required(z.string({ error: MISSING }).pipe(databaseUrl)),
    KEYTURN_DATABASE_CONNECTIONS_MAX: whole(1, 200, 10),
    KEYTURN_OIDC_ISSUER: required(z.string({ error: MISSING }).pipe(issuers)),
    KEYTURN_OIDC_AUDIENCE: required(z.string({ error: MISSING }).pipe(list)),
    KEYTURN_TENANT_CLAIM: z.string().default("tenant_id"),
    KEYTURN_ROLES_CLAIM: z.string().default("roles"),
    KEYTURN_ADMIN_ROLES: list.default(["owner", "admin"]),
    KEYTURN_ORGANIZATION_ADMIN_ROLES: list.default(["owner", "admin"]),
    KEYTURN_VERIFIER_ROLES: list.default(["verifier"]),
    KEYTURN_PLATFORM_VERIFIER_ROLES: list.default(["platform-verifier"]),
    KEYTURN_TOKEN_ISSUER: issuerName.optional(),
    KEYTURN_TOKEN_AUDIENCE: audience.optional(),
    KEYTURN_SIGNING_KEY_LIFETIME: lifetime(SIGNING_KEY_SECONDS),
    KEYTURN_ROOT_KEY: required(z.string({ error: `or KEYTURN_ROOT_KEY_FILE ${MISSING}` }).pipe(rootKeys)),
    KEYTURN_DATA_DIR: z.string().default(".keyturn"),
    KEYTURN_SECRET_PREFIX: z
      .string()
      .regex(SECRET_PREFIX_PATTERN, "must be a lower-case letter and 1 to 15 lower-case letters or digits")
      .default(SECRET_PREFIX_DEFAULT),
    KEYTURN_ARGON2_MEMORY_KIB: whole(production ? 19_456 : 64, 131_072, 19_456),
    KEYTURN_ARGON2_PASSES: whole(production ? 2 : 1, 10, 2),
    KEYTURN_HASH_PERMITS: whole(1, 64, cores),
    KEYTURN_MINT_POOL_SIZE: whole(0, 4096, 64),
    KEYTURN_VERIFIED_SECRETS_MAX: whole(0, 1_000_000, 50_000),
    KEYTURN_EXPIRY_WARNING: lifetime(EXPIRY_WARNING_SECONDS),
    ...LIFETIMES,
    KEYTURN_ACTIVE_CREDENTIALS_MAX: whole(1, 100, DEFAULT_POLICY.activeCredentialsMax),
    KEYTURN_TOMBSTONE_RETENTION: lifetime(TOMBSTONE_RETENTION_SECONDS),
    KEYTURN_REFLECTION: z.enum(["on", "off"], "must be on or off").default(production ? "off" : "on"),
    LOG_LEVEL: z
      .enum(
        ["fatal", "error", "warn", "info", "debug", "trace", "silent"],
        "must be a level such as info or debug",
      )
      .default("info"),
  });
}

/** The variables as they were read: numbers, lists and keys instead of texts. */
export type Settings = z.output<ReturnType<typeof schemaOf>>;
