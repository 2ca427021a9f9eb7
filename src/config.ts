import { z } from "zod";
import { assertIssuerName } from "./auth/issuer-metadata.ts";
import { type KeyRing, parseRootKeys } from "./auth/root-keys.ts";
import { type CredentialPolicy, DEFAULT_POLICY } from "./domain/policy.ts";
import { SECRET_PREFIX_DEFAULT, SECRET_PREFIX_PATTERN } from "./domain/secret.ts";

/** Everything that an operator decides, read once. Frozen, and complete or not there at all. */
export interface Config {
  readonly production: boolean;
  readonly host: string;
  readonly adminHost: string;
  /** Ports; 0 takes a free one. */
  readonly grpcPort: number;
  readonly httpPort: number;
  readonly adminPort: number;
  /** Undefined outside production: the embedded database. */
  readonly databaseUrl: string | undefined;
  readonly databaseConnectionsMax: number;
  /** Empty outside production: the development issuer. */
  readonly oidcIssuers: readonly string[];
  readonly oidcAudiences: readonly string[];
  readonly tenantClaim: string;
  readonly rolesClaim: string;
  readonly administratorRoles: readonly string[];
  /** Undefined outside production: a key of the data folder's own. */
  readonly rootKeys: KeyRing | undefined;
  readonly dataDir: string;
  readonly secretPrefix: string;
  readonly hashMemoryKib: number;
  readonly hashPasses: number;
  readonly hashPermits: number;
  readonly mintPoolSize: number;
  readonly policy: CredentialPolicy;
  readonly reflection: boolean;
  readonly logLevel: string;
}

/** What a configuration needs of the machine. */
export interface ConfigDeps {
  readonly readFile: (path: string) => string;
  readonly cores: number;
}

export type ConfigResult =
  | { readonly config: Config }
  /** One sentence a mistake, each with its variable, none with a value that could be secret. */
  | { readonly mistakes: readonly string[] };

type Env = Readonly<Record<string, string | undefined>>;

/** Reads the environment into a Config, or names every mistake at once. An empty variable counts as absent. */
export function readConfig(env: Env, deps: ConfigDeps): ConfigResult {
  const set = Object.fromEntries(
    Object.entries(env).filter(([, value]) => value !== undefined && value !== ""),
  );
  const production = set["NODE_ENV"] === "production";
  const rootKey = readRootKeyText(set, deps);
  const parsed = schemaOf(production, deps.cores).safeParse({ ...set, KEYTURN_ROOT_KEY: rootKey.text });
  const mistakes = [
    ...(rootKey.problem === undefined ? [] : [rootKey.problem]),
    ...(parsed.error?.issues ?? [])
      .filter(({ path }) => path[0] !== "KEYTURN_ROOT_KEY" || rootKey.problem === undefined)
      .map(({ path, message }) => `${String(path[0])} ${message}`),
  ];
  if (parsed.data !== undefined) mistakes.push(...lifetimeMistakes(parsed.data));
  if (mistakes.length > 0 || parsed.data === undefined) return { mistakes };
  return { config: toConfig(production, parsed.data) };
}

const port = (standard: number) =>
  z
    .string()
    .regex(/^\d{1,5}$/, "must be a port from 0 to 65535")
    .transform(Number)
    .refine((value) => value <= 65_535, "must be a port from 0 to 65535")
    .default(standard);

const whole = (min: number, max: number, standard: number) => {
  const message = `must be a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^\d{1,9}$/, message)
    .transform(Number)
    .refine((value) => value >= min && value <= max, message)
    .default(standard);
};

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };
const LIFETIME_SECONDS_MAX = 10 * 366 * 86_400;

const lifetime = (standardSeconds: number) =>
  z
    .string()
    .regex(/^\d{1,9}[smhd]$/, "must be a number and a unit, such as 90d, 12h, 30m or 60s")
    .transform((text) => Number(text.slice(0, -1)) * (UNIT_SECONDS[text.slice(-1)] ?? 1))
    .refine((seconds) => seconds >= 1 && seconds <= LIFETIME_SECONDS_MAX, "must be from 1s to 3660d")
    .default(standardSeconds);

const list = z
  .string()
  .transform((text) =>
    text
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  )
  .refine((parts) => parts.length > 0, "must name at least one");

const MISSING = "is required in production";

function schemaOf(production: boolean, cores: number) {
  const required = <T extends z.ZodType>(type: T) => (production ? type : type.optional());
  return z.object({
    KEYTURN_HOST: z.string().default("127.0.0.1"),
    KEYTURN_ADMIN_HOST: z.string().default("127.0.0.1"),
    KEYTURN_GRPC_PORT: port(50_051),
    KEYTURN_HTTP_PORT: port(8080),
    KEYTURN_ADMIN_PORT: port(9090),
    DATABASE_URL: required(
      z
        .string({ error: MISSING })
        .regex(/^postgres(ql)?:\/\//, "must start with postgres:// or postgresql://"),
    ),
    KEYTURN_DATABASE_CONNECTIONS_MAX: whole(1, 200, 10),
    KEYTURN_OIDC_ISSUER: required(z.string({ error: MISSING }).pipe(list.refine(areIssuers, ISSUER_RULE))),
    KEYTURN_OIDC_AUDIENCE: required(z.string({ error: MISSING }).pipe(list)),
    KEYTURN_TENANT_CLAIM: z.string().default("tenant_id"),
    KEYTURN_ROLES_CLAIM: z.string().default("roles"),
    KEYTURN_ADMIN_ROLES: list.default(["owner", "admin"]),
    KEYTURN_ROOT_KEY: required(
      z.string({ error: `or KEYTURN_ROOT_KEY_FILE ${MISSING}` }).transform(toRootKeys),
    ),
    KEYTURN_DATA_DIR: z.string().default(".keyturn"),
    KEYTURN_SECRET_PREFIX: z
      .string()
      .regex(SECRET_PREFIX_PATTERN, "must be a lower-case letter and 1 to 15 lower-case letters or digits")
      .default(SECRET_PREFIX_DEFAULT),
    KEYTURN_ARGON2_MEMORY_KIB: whole(production ? 19_456 : 64, 131_072, 19_456),
    KEYTURN_ARGON2_PASSES: whole(production ? 2 : 1, 10, 2),
    KEYTURN_HASH_PERMITS: whole(1, 64, cores),
    KEYTURN_MINT_POOL_SIZE: whole(0, 4096, 64),
    KEYTURN_LIFETIME_DEFAULT: lifetime(DEFAULT_POLICY.defaultLifetimeSeconds),
    KEYTURN_LIFETIME_MIN: lifetime(DEFAULT_POLICY.minLifetimeSeconds),
    KEYTURN_LIFETIME_MAX: lifetime(DEFAULT_POLICY.maxLifetimeSeconds),
    KEYTURN_ACTIVE_CREDENTIALS_MAX: whole(1, 100, DEFAULT_POLICY.activeCredentialsMax),
    KEYTURN_REFLECTION: z.enum(["on", "off"], "must be on or off").default(production ? "off" : "on"),
    LOG_LEVEL: z
      .enum(
        ["fatal", "error", "warn", "info", "debug", "trace", "silent"],
        "must be a level such as info or debug",
      )
      .default("info"),
  });
}

type Settings = z.output<ReturnType<typeof schemaOf>>;

const ISSUER_RULE =
  "must hold https URLs without query or fragment (http only for loopback), separated by commas";

function areIssuers(issuers: readonly string[]): boolean {
  return issuers.every((issuer) => {
    try {
      assertIssuerName(issuer);
      return true;
    } catch {
      return false;
    }
  });
}

function toRootKeys(text: string, context: z.RefinementCtx): KeyRing {
  const parsed = parseRootKeys(text);
  if ("keys" in parsed) return parsed.keys;
  context.addIssue(`cannot be used: ${parsed.problem}`);
  return z.NEVER;
}

function readRootKeyText(env: Env, deps: ConfigDeps): { readonly text?: string; readonly problem?: string } {
  const text = env["KEYTURN_ROOT_KEY"];
  const file = env["KEYTURN_ROOT_KEY_FILE"];
  if (file === undefined) return text === undefined ? {} : { text };
  if (text !== undefined)
    return { problem: "KEYTURN_ROOT_KEY and KEYTURN_ROOT_KEY_FILE are both set: leave one out" };
  try {
    return { text: deps.readFile(file).trim() };
  } catch {
    return { problem: "KEYTURN_ROOT_KEY_FILE cannot be read" };
  }
}

function lifetimeMistakes(settings: Settings): string[] {
  const {
    KEYTURN_LIFETIME_MIN: min,
    KEYTURN_LIFETIME_DEFAULT: standard,
    KEYTURN_LIFETIME_MAX: max,
  } = settings;
  if (min <= standard && standard <= max) return [];
  return [
    "KEYTURN_LIFETIME_MIN, KEYTURN_LIFETIME_DEFAULT and KEYTURN_LIFETIME_MAX must not decrease in this order",
  ];
}

function toConfig(production: boolean, settings: Settings): Config {
  return Object.freeze({
    production,
    host: settings.KEYTURN_HOST,
    adminHost: settings.KEYTURN_ADMIN_HOST,
    grpcPort: settings.KEYTURN_GRPC_PORT,
    httpPort: settings.KEYTURN_HTTP_PORT,
    adminPort: settings.KEYTURN_ADMIN_PORT,
    databaseUrl: settings.DATABASE_URL,
    databaseConnectionsMax: settings.KEYTURN_DATABASE_CONNECTIONS_MAX,
    oidcIssuers: settings.KEYTURN_OIDC_ISSUER ?? [],
    oidcAudiences: settings.KEYTURN_OIDC_AUDIENCE ?? ["keyturn"],
    tenantClaim: settings.KEYTURN_TENANT_CLAIM,
    rolesClaim: settings.KEYTURN_ROLES_CLAIM,
    administratorRoles: settings.KEYTURN_ADMIN_ROLES,
    rootKeys: settings.KEYTURN_ROOT_KEY,
    dataDir: settings.KEYTURN_DATA_DIR,
    secretPrefix: settings.KEYTURN_SECRET_PREFIX,
    hashMemoryKib: settings.KEYTURN_ARGON2_MEMORY_KIB,
    hashPasses: settings.KEYTURN_ARGON2_PASSES,
    hashPermits: settings.KEYTURN_HASH_PERMITS,
    mintPoolSize: settings.KEYTURN_MINT_POOL_SIZE,
    policy: {
      defaultLifetimeSeconds: settings.KEYTURN_LIFETIME_DEFAULT,
      minLifetimeSeconds: settings.KEYTURN_LIFETIME_MIN,
      maxLifetimeSeconds: settings.KEYTURN_LIFETIME_MAX,
      activeCredentialsMax: settings.KEYTURN_ACTIVE_CREDENTIALS_MAX,
    },
    reflection: settings.KEYTURN_REFLECTION === "on",
    logLevel: settings.LOG_LEVEL,
  });
}
