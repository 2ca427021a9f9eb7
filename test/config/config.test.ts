import assert from "node:assert/strict";
import { test } from "node:test";
import type { Config } from "../../src/config.ts";
import { configOf, type Env, PRODUCTION, ROOT_KEY } from "./given-config.ts";

const DAY = 86_400;

/** Pinned: a name or a default that changes is a change for operators. */
const DEFAULTS: Config = {
  production: false,
  host: "127.0.0.1",
  adminHost: "127.0.0.1",
  grpcPort: 50_051,
  httpPort: 8080,
  adminPort: 9090,
  workers: 1,
  channelzPort: undefined,
  tls: { grpc: undefined, http: undefined, admin: undefined },
  certificateReloadMs: 10_000,
  certificateCallers: new Map(),
  trustedProxies: [],
  databaseUrl: undefined,
  databaseConnectionsMax: 10,
  oidcIssuers: [],
  oidcAudiences: ["keyturn"],
  tenantClaim: "tenant_id",
  rolesClaim: "roles",
  administratorRoles: ["owner", "admin"],
  organizationAdministratorRoles: ["owner", "admin"],
  verifierRoles: ["verifier"],
  platformVerifierRoles: ["platform-verifier"],
  tokenIssuer: undefined,
  tokenAudience: "keyturn",
  signingKeySeconds: 30 * DAY,
  rootKeys: undefined,
  dataDir: ".keyturn",
  secretPrefix: "plt",
  hashMemoryKib: 19_456,
  hashPasses: 2,
  hashPermits: 4,
  mintPoolSize: 64,
  verifiedSecretsMax: 50_000,
  expiryWarningSeconds: 14 * DAY,
  policy: {
    defaultLifetimeSeconds: 90 * DAY,
    minLifetimeSeconds: 60,
    maxLifetimeSeconds: 365 * DAY,
    activeCredentialsMax: 5,
  },
  tombstoneRetentionSeconds: 30 * 86_400,
  drainGraceMs: 0,
  webhook: undefined,
  reflection: true,
  apiReference: true,
  logLevel: "info",
  tracing: undefined,
};

const { policy, ...rest } = DEFAULTS;

test("without any variable every property has its default", () => {
  assert.deepEqual(configOf({}), DEFAULTS);
});

test("production with what it demands has the same defaults, but no reflection, no API reference and a grace when it drains", () => {
  const { rootKeys, ...config } = configOf(PRODUCTION);
  const { rootKeys: _none, ...defaults } = DEFAULTS;
  assert.deepEqual(config, {
    ...defaults,
    production: true,
    databaseUrl: PRODUCTION["DATABASE_URL"],
    oidcIssuers: ["https://login.example"],
    oidcAudiences: ["keyturn"],
    tokenIssuer: "https://keyturn.example",
    reflection: false,
    apiReference: false,
    drainGraceMs: 5_000,
  });
  assert.equal(rootKeys?.[0].export().toString("base64"), ROOT_KEY);
});

const TRACING = {
  url: "",
  serviceName: "keyturn",
  resourceAttributes: {},
  sampler: "parentbased_always_on",
  samplerRatio: 1,
} as const;

const VARIABLES: { env: Env; sets: Partial<typeof rest> | { policy: Partial<Config["policy"]> } }[] = [
  { env: { NODE_ENV: "test" }, sets: {} },
  { env: { NODE_ENV: "development" }, sets: {} },
  { env: { KEYTURN_HOST: "0.0.0.0" }, sets: { host: "0.0.0.0" } },
  { env: { KEYTURN_ADMIN_HOST: "::1" }, sets: { adminHost: "::1" } },
  { env: { KEYTURN_GRPC_PORT: "0" }, sets: { grpcPort: 0 } },
  { env: { KEYTURN_CHANNELZ_PORT: "0" }, sets: { channelzPort: 0 } },
  { env: { KEYTURN_HTTP_PORT: "65535" }, sets: { httpPort: 65_535 } },
  { env: { KEYTURN_ADMIN_PORT: "1" }, sets: { adminPort: 1 } },
  {
    env: { KEYTURN_TRUSTED_PROXIES: "10.0.0.0/8, 192.0.2.1,2001:db8::/32,::1," },
    sets: { trustedProxies: ["10.0.0.0/8", "192.0.2.1", "2001:db8::/32", "::1"] },
  },
  { env: { DATABASE_URL: "postgresql://h/d" }, sets: { databaseUrl: "postgresql://h/d" } },
  { env: { KEYTURN_DATABASE_CONNECTIONS_MAX: "200" }, sets: { databaseConnectionsMax: 200 } },
  {
    env: { KEYTURN_OIDC_ISSUER: "https://a.example, https://b.example/tenant," },
    sets: { oidcIssuers: ["https://a.example", "https://b.example/tenant"] },
  },
  {
    env: { KEYTURN_OIDC_AUDIENCE: "one,two", KEYTURN_TOKEN_AUDIENCE: "three" },
    sets: { oidcAudiences: ["one", "two"], tokenAudience: "three" },
  },
  { env: { KEYTURN_TOKEN_ISSUER: "https://a.example/b/" }, sets: { tokenIssuer: "https://a.example/b/" } },
  { env: { KEYTURN_TOKEN_ISSUER: "http://[::1]:8080" }, sets: { tokenIssuer: "http://[::1]:8080" } },
  { env: { KEYTURN_TOKEN_AUDIENCE: "things" }, sets: { tokenAudience: "things" } },
  { env: { KEYTURN_SIGNING_KEY_LIFETIME: "12h" }, sets: { signingKeySeconds: DAY / 2 } },
  { env: { KEYTURN_TENANT_CLAIM: "org" }, sets: { tenantClaim: "org" } },
  { env: { KEYTURN_ROLES_CLAIM: "realm_access.roles" }, sets: { rolesClaim: "realm_access.roles" } },
  { env: { KEYTURN_ADMIN_ROLES: " boss , chief " }, sets: { administratorRoles: ["boss", "chief"] } },
  { env: { KEYTURN_VERIFIER_ROLES: "gate, bouncer" }, sets: { verifierRoles: ["gate", "bouncer"] } },
  { env: { KEYTURN_PLATFORM_VERIFIER_ROLES: "core" }, sets: { platformVerifierRoles: ["core"] } },
  { env: { KEYTURN_DATA_DIR: "/var/lib/keyturn" }, sets: { dataDir: "/var/lib/keyturn" } },
  { env: { KEYTURN_SECRET_PREFIX: "acme2" }, sets: { secretPrefix: "acme2" } },
  { env: { KEYTURN_ARGON2_MEMORY_KIB: "64" }, sets: { hashMemoryKib: 64 } },
  { env: { KEYTURN_ARGON2_PASSES: "1" }, sets: { hashPasses: 1 } },
  { env: { KEYTURN_HASH_PERMITS: "1" }, sets: { hashPermits: 1 } },
  { env: { KEYTURN_MINT_POOL_SIZE: "0" }, sets: { mintPoolSize: 0 } },
  { env: { KEYTURN_VERIFIED_SECRETS_MAX: "0" }, sets: { verifiedSecretsMax: 0 } },
  { env: { KEYTURN_EXPIRY_WARNING: "36h" }, sets: { expiryWarningSeconds: 36 * 3600 } },
  { env: { KEYTURN_LIFETIME_DEFAULT: "12h" }, sets: { policy: { defaultLifetimeSeconds: DAY / 2 } } },
  { env: { KEYTURN_LIFETIME_MIN: "1s" }, sets: { policy: { minLifetimeSeconds: 1 } } },
  { env: { KEYTURN_LIFETIME_MIN: "90m" }, sets: { policy: { minLifetimeSeconds: 5400 } } },
  { env: { KEYTURN_LIFETIME_MAX: "3660d" }, sets: { policy: { maxLifetimeSeconds: 3660 * DAY } } },
  { env: { KEYTURN_ACTIVE_CREDENTIALS_MAX: "100" }, sets: { policy: { activeCredentialsMax: 100 } } },
  { env: { KEYTURN_REFLECTION: "off" }, sets: { reflection: false } },
  { env: { NODE_ENV: "test", KEYTURN_REFLECTION: "false" }, sets: { reflection: false } },
  { env: { KEYTURN_REFLECTION: "true" }, sets: { reflection: true } },
  { env: { KEYTURN_DRAIN_GRACE: "120s" }, sets: { drainGraceMs: 120_000 } },
  { env: { KEYTURN_API_REFERENCE: "on" }, sets: { apiReference: true } },
  { env: { KEYTURN_API_REFERENCE: "off" }, sets: { apiReference: false } },
  { env: { LOG_LEVEL: "trace" }, sets: { logLevel: "trace" } },
  {
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318/" },
    sets: { tracing: { ...TRACING, url: "http://collector:4318/v1/traces" } },
  },
  {
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318",
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "https://traces.example/in",
      OTEL_RESOURCE_ATTRIBUTES: "service.name=a%20name, deployment.environment.name=test",
      OTEL_TRACES_SAMPLER: "parentbased_traceidratio",
      OTEL_TRACES_SAMPLER_ARG: "0.25",
    },
    sets: {
      tracing: {
        url: "https://traces.example/in",
        serviceName: "a name",
        resourceAttributes: { "service.name": "a name", "deployment.environment.name": "test" },
        sampler: "parentbased_traceidratio",
        samplerRatio: 0.25,
      },
    },
  },
  { env: { OTEL_EXPORTER_OTLP_ENDPOINT: "http://collector:4318", OTEL_SDK_DISABLED: "true" }, sets: {} },
  { env: { OTEL_SERVICE_NAME: "keyturn", OTEL_TRACES_SAMPLER: "always_on" }, sets: {} },
];
for (const { env, sets } of VARIABLES) {
  const [[name, value] = []] = Object.entries(env);
  test(`${name}=${value} sets ${Object.keys(sets)[0] ?? "nothing"} and no other property`, () => {
    const expected =
      "policy" in sets ? { ...rest, policy: { ...policy, ...sets.policy } } : { ...DEFAULTS, ...sets };
    assert.deepEqual(configOf(env), expected);
  });
}

test("an empty variable is as good as none", () => {
  const names = VARIABLES.flatMap(({ env }) => Object.keys(env));
  const empty = [...names, "KEYTURN_ROOT_KEY", "KEYTURN_ROOT_KEY_FILE"].map((name) => [name, ""] as const);
  assert.deepEqual(configOf(Object.fromEntries(empty)), DEFAULTS);
});

test("variables of others are nobody's business, those of a Kubernetes service link included", () => {
  const others = {
    PATH: "/bin",
    PGHOST: "db",
    KEYTURN_PORT: "tcp://10.0.0.1:50051",
    KEYTURN_SERVICE_HOST: "10.0.0.1",
  };
  assert.deepEqual(configOf(others), DEFAULTS);
});

test("nothing in a configuration can be changed", () => {
  const config = configOf(PRODUCTION);
  for (const part of [
    config,
    config.policy,
    config.oidcIssuers,
    config.oidcAudiences,
    config.administratorRoles,
    config.trustedProxies,
    configOf({ KEYTURN_TRUSTED_PROXIES: "::1" }).trustedProxies,
  ]) {
    assert.equal(Object.isFrozen(part), true);
  }
});

test("access tokens are for the first audience, unless another is named", () => {
  assert.equal(configOf({ KEYTURN_OIDC_AUDIENCE: "one,two" }).tokenAudience, "one");
});

test("a root key comes from the file as well, with the retired ones behind it", () => {
  const { KEYTURN_ROOT_KEY: _, ...env } = PRODUCTION;
  const { rootKeys } = configOf({ ...env, KEYTURN_ROOT_KEY_FILE: "/keys" });
  assert.equal(rootKeys?.length, 2);
  assert.equal(rootKeys[0].export().toString("base64"), ROOT_KEY);
});
