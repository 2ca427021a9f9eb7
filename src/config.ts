import type { CertificateCaller } from "./auth/certificate-callers.ts";
import type { KeyRing } from "./auth/root-keys.ts";
import { type Settings, schemaOf } from "./config-schema.ts";
import { type TlsConfig, tlsConfigOf, tlsMistakes } from "./config-tls.ts";
import { tracingOf } from "./config-tracing.ts";
import { type Env, FILE_VARIABLES, lifetimeMistakes, readFileText, withoutEmpty } from "./config-values.ts";
import { type Webhook, webhookMistakes, webhookOf } from "./config-webhook.ts";
import type { CredentialPolicy } from "./domain/policy.ts";
import type { TracingSettings } from "./observability/tracing-settings.ts";

/** Everything that an operator decides, read once. Frozen, and complete or not there at all. */
export interface Config {
  readonly production: boolean;
  readonly host: string;
  readonly adminHost: string;
  /** Ports; 0 takes a free one. */
  readonly grpcPort: number;
  readonly httpPort: number;
  /** Undefined in a worker: the process that has started it keeps that door. */
  readonly adminPort: number | undefined;
  /** Processes that serve. */
  readonly workers: number;
  /** Undefined: no channelz. */
  readonly channelzPort: number | undefined;
  readonly tls: TlsConfig;
  /** How often the files of certificates are looked at. */
  readonly certificateReloadMs: number;
  /** Callers by a name in their client certificate. */
  readonly certificateCallers: ReadonlyMap<string, CertificateCaller>;
  /** Addresses and CIDRs of those whose `X-Forwarded-For` is believed. */
  readonly trustedProxies: readonly string[];
  /** Undefined outside production: the embedded database. */
  readonly databaseUrl: string | undefined;
  readonly databaseConnectionsMax: number;
  /** Empty outside production: the development issuer. */
  readonly oidcIssuers: readonly string[];
  readonly oidcAudiences: readonly string[];
  readonly tenantClaim: string;
  readonly rolesClaim: string;
  readonly administratorRoles: readonly string[];
  /** Administrators with one of these may grant every role, others what they hold. */
  readonly organizationAdministratorRoles: readonly string[];
  /** Make a verifier of the secrets and tokens of the caller's own organization, and of all organizations. */
  readonly verifierRoles: readonly string[];
  readonly platformVerifierRoles: readonly string[];
  /** Issuer of our access tokens. Undefined outside production: the address of the HTTP door. */
  readonly tokenIssuer: string | undefined;
  /** Audience of our access tokens. */
  readonly tokenAudience: string;
  /** Seconds for which a key signs access tokens before it gets a successor. */
  readonly signingKeySeconds: number;
  /** Undefined outside production: a key of the data folder's own. */
  readonly rootKeys: KeyRing | undefined;
  readonly dataDir: string;
  readonly secretPrefix: string;
  readonly hashMemoryKib: number;
  readonly hashPasses: number;
  readonly hashPermits: number;
  readonly mintPoolSize: number;
  /** Matches of secrets and hashes that are remembered. */
  readonly verifiedSecretsMax: number;
  /** Seconds before its end in which a credential is said to expire soon. */
  readonly expiryWarningSeconds: number;
  readonly policy: CredentialPolicy;
  /** Seconds for which a deleted credential is remembered. */
  readonly tombstoneRetentionSeconds: number;
  /** Undefined: nobody is told of what happens. */
  readonly webhook: Webhook | undefined;
  readonly reflection: boolean;
  /** Milliseconds for which a server that drains goes on to take calls. */
  readonly drainGraceMs: number;
  /** Whether the HTTP door shows the OpenAPI document and its page. */
  readonly apiReference: boolean;
  readonly logLevel: string;
  /** Undefined where no traces are wanted. */
  readonly tracing: TracingSettings | undefined;
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

/** Reads the environment into a Config, or names every mistake at once. An empty variable counts as absent. */
export function readConfig(env: Env, deps: ConfigDeps): ConfigResult {
  const set = withoutEmpty(env);
  const production = isProduction(env);
  const texts = FILE_VARIABLES.map((variable) => readFileText(set, variable, deps.readFile));
  const given = { ...set, ...Object.fromEntries(texts.map(({ variable, text }) => [variable, text])) };
  const parsed = schemaOf(production, deps.cores).safeParse(given);
  const mistakes = [
    ...texts.flatMap(({ problem }) => problem ?? []),
    ...(parsed.error?.issues ?? []).flatMap(({ path, message }) => {
      const text = texts.find(({ variable }) => variable === path[0]);
      return text?.problem === undefined ? [`${text?.name ?? String(path[0])} ${message}`] : [];
    }),
    ...lifetimeMistakes(set),
    ...tlsMistakes(set, deps.readFile),
    ...(texts.some(({ problem }) => problem !== undefined) ? [] : webhookMistakes(given)),
    ...modeMistakes(set),
    ...channelzMistakes(set),
  ];
  if (mistakes.length > 0 || parsed.data === undefined) return { mistakes };
  return { config: toConfig(production, parsed.data, tlsConfigOf(set)) };
}

/** `NODE_ENV=prod` must not quietly mean a development issuer and seed data. */
function modeMistakes(env: Env): string[] {
  const isKnown = [undefined, "production", "development", "test"].includes(env["NODE_ENV"]);
  return isKnown ? [] : ["NODE_ENV must be production, development, test or absent"];
}

/** Its books are of one process, and no worker has all connections. */
function channelzMistakes(env: Env): string[] {
  const isAmongWorkers =
    env["KEYTURN_CHANNELZ_PORT"] !== undefined && Number(env["KEYTURN_WORKERS"] ?? 1) > 1;
  return isAmongWorkers ? ["KEYTURN_CHANNELZ_PORT needs a single process: KEYTURN_WORKERS=1"] : [];
}

export function isProduction(env: Env): boolean {
  return env["NODE_ENV"] === "production";
}

function toConfig(production: boolean, settings: Settings, tls: TlsConfig): Config {
  const oidcAudiences = Object.freeze(settings.KEYTURN_OIDC_AUDIENCE ?? ["keyturn"]);
  return Object.freeze({
    production,
    host: settings.KEYTURN_HOST,
    adminHost: settings.KEYTURN_ADMIN_HOST,
    grpcPort: settings.KEYTURN_GRPC_PORT,
    httpPort: settings.KEYTURN_HTTP_PORT,
    adminPort: settings.KEYTURN_ADMIN_PORT,
    workers: settings.KEYTURN_WORKERS,
    channelzPort: settings.KEYTURN_CHANNELZ_PORT,
    tls,
    certificateReloadMs: settings.KEYTURN_CERTIFICATE_RELOAD * 1000,
    certificateCallers: settings.KEYTURN_CLIENT_CERTIFICATE_CALLERS ?? new Map(),
    trustedProxies: Object.freeze(settings.KEYTURN_TRUSTED_PROXIES),
    databaseUrl: settings.DATABASE_URL,
    databaseConnectionsMax: settings.KEYTURN_DATABASE_CONNECTIONS_MAX,
    oidcIssuers: Object.freeze(settings.KEYTURN_OIDC_ISSUER ?? []),
    oidcAudiences,
    tenantClaim: settings.KEYTURN_TENANT_CLAIM,
    rolesClaim: settings.KEYTURN_ROLES_CLAIM,
    administratorRoles: Object.freeze(settings.KEYTURN_ADMIN_ROLES),
    organizationAdministratorRoles: Object.freeze(settings.KEYTURN_ORGANIZATION_ADMIN_ROLES),
    verifierRoles: Object.freeze(settings.KEYTURN_VERIFIER_ROLES),
    platformVerifierRoles: Object.freeze(settings.KEYTURN_PLATFORM_VERIFIER_ROLES),
    tokenIssuer: settings.KEYTURN_TOKEN_ISSUER,
    tokenAudience: settings.KEYTURN_TOKEN_AUDIENCE ?? oidcAudiences[0] ?? "",
    signingKeySeconds: settings.KEYTURN_SIGNING_KEY_LIFETIME,
    rootKeys: settings.KEYTURN_ROOT_KEY,
    dataDir: settings.KEYTURN_DATA_DIR,
    secretPrefix: settings.KEYTURN_SECRET_PREFIX,
    hashMemoryKib: settings.KEYTURN_ARGON2_MEMORY_KIB,
    hashPasses: settings.KEYTURN_ARGON2_PASSES,
    hashPermits: settings.KEYTURN_HASH_PERMITS,
    mintPoolSize: settings.KEYTURN_MINT_POOL_SIZE,
    verifiedSecretsMax: settings.KEYTURN_VERIFIED_SECRETS_MAX,
    expiryWarningSeconds: settings.KEYTURN_EXPIRY_WARNING,
    policy: Object.freeze({
      defaultLifetimeSeconds: settings.KEYTURN_LIFETIME_DEFAULT,
      minLifetimeSeconds: settings.KEYTURN_LIFETIME_MIN,
      maxLifetimeSeconds: settings.KEYTURN_LIFETIME_MAX,
      activeCredentialsMax: settings.KEYTURN_ACTIVE_CREDENTIALS_MAX,
    }),
    tombstoneRetentionSeconds: settings.KEYTURN_TOMBSTONE_RETENTION,
    webhook: webhookOf(settings),
    reflection: settings.KEYTURN_REFLECTION,
    drainGraceMs: settings.KEYTURN_DRAIN_GRACE * 1000,
    apiReference: settings.KEYTURN_API_REFERENCE,
    logLevel: settings.LOG_LEVEL,
    tracing: tracingOf(settings),
  });
}
