import assert from "node:assert/strict";
import { test } from "node:test";
import { readDatabaseUrl } from "../../src/config-commands.ts";
import { configOf, type Env, mistakesOf, PRODUCTION, ROOT_KEY } from "./given-config.ts";

const WEBHOOK_SECRET = `whsec_${ROOT_KEY}`;

/** Values that are refused. Each holds the word "geheim" where that is possible, so that an echo would show. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  KEYTURN_GRPC_PORT: ["65536", "-1", "80 ", "8e1", "0x50", "080000", "geheim", "tcp://10.0.0.1:50051"],
  KEYTURN_HTTP_PORT: ["65536", "8080.0"],
  KEYTURN_ADMIN_PORT: ["99999", "none"],
  KEYTURN_TRUSTED_PROXIES: [
    "geheim",
    ",",
    "10.0.0.0/33",
    "10.0.0.0/",
    "10.0.0.0/-1",
    "10.0.0/8",
    "10.0.0.1:80",
    "010.0.0.1",
    "10.0.0.0 / 8",
    "2001:db8::/129",
    "[::1]",
    "fe80::1%geheim",
    "::1,proxy.geheim",
    "*",
  ],
  DATABASE_URL: [
    "geheim",
    "mysql://u:geheim@h/d",
    "https://geheim",
    "postgres://u:ge/heim@h/d",
    "postgres://u:ge#heim@h/d",
    "postgres://u:ge@heim@h/d",
    "postgres://u:ge%heim@h/d",
    "postgres://u:geheim@h:port/d",
    "postgres://u:geheim@h:1,h2:port/d",
    " postgres://u:geheim@h/d",
  ],
  KEYTURN_DATABASE_CONNECTIONS_MAX: ["0", "201", "many"],
  KEYTURN_OIDC_ISSUER: [
    "geheim",
    ",",
    "http://login.example",
    "http://10.0.0.1",
    "http://localhost.example",
    "https://login.example?geheim",
    "https://login.example#geheim",
    "https://user:geheim@login.example",
    "https://login.example,http://login.example",
    "file:///geheim",
  ],
  KEYTURN_OIDC_AUDIENCE: [" ", ",,"],
  KEYTURN_ADMIN_ROLES: [","],
  KEYTURN_TOKEN_ISSUER: [
    "geheim",
    "http://keyturn.example",
    "https://keyturn.example?geheim",
    "https://u:geheim@keyturn.example",
    "https://one.example,https://two.example",
  ],
  KEYTURN_TOKEN_AUDIENCE: ["one,geheim", "one geheim", " "],
  KEYTURN_SIGNING_KEY_LIFETIME: ["0s", "30", "1w", "geheim"],
  KEYTURN_VERIFIER_ROLES: [","],
  KEYTURN_PLATFORM_VERIFIER_ROLES: [" , "],
  KEYTURN_ROOT_KEY: ["geheim", "Z2VoZWlt", `${ROOT_KEY},`, `${ROOT_KEY},${ROOT_KEY}`, ROOT_KEY.slice(1)],
  KEYTURN_SECRET_PREFIX: ["p", "Plt", "p_t", "1pt", "p".repeat(17), "geheim-"],
  KEYTURN_ARGON2_MEMORY_KIB: ["63", "131073"],
  KEYTURN_ARGON2_PASSES: ["0", "11"],
  KEYTURN_HASH_PERMITS: ["0", "65"],
  KEYTURN_MINT_POOL_SIZE: ["-1", "4097"],
  KEYTURN_VERIFIED_SECRETS_MAX: ["-1", "1000001", "all"],
  KEYTURN_EXPIRY_WARNING: ["0d", "14", "2w", "geheim"],
  KEYTURN_LIFETIME_DEFAULT: ["90", "90 d", "1w", "0s", "1.5h", "3661d", "-1d", "geheim"],
  KEYTURN_LIFETIME_MIN: ["0s", "0d"],
  KEYTURN_LIFETIME_MAX: ["3661d", "999999999d"],
  KEYTURN_ACTIVE_CREDENTIALS_MAX: ["0", "101"],
  KEYTURN_WEBHOOK_URL: [
    "geheim",
    "http://hooks.example/geheim",
    "http://10.0.0.1/geheim",
    "https://user:geheim@hooks.example",
    "https://hooks.example/#geheim",
    "ftp://hooks.example/geheim",
  ],
  KEYTURN_WEBHOOK_SECRETS: ["geheim", ",", "whsec_geheim", "whsec_Z2VoZWlt", `${WEBHOOK_SECRET},geheim`],
  KEYTURN_WORKERS: ["0", "65", "two"],
  KEYTURN_REFLECTION: ["yes", "ON"],
  KEYTURN_DRAIN_GRACE: ["5", "121s", "-1s", "1m"],
  KEYTURN_API_REFERENCE: ["1", "OFF"],
  LOG_LEVEL: ["verbose", "INFO", "geheim"],
  OTEL_EXPORTER_OTLP_ENDPOINT: ["collector:4318", "geheim", "ftp://geheim"],
  OTEL_EXPORTER_OTLP_PROTOCOL: ["grpc", "geheim"],
  OTEL_SDK_DISABLED: ["1", "geheim"],
  OTEL_RESOURCE_ATTRIBUTES: ["geheim", "=geheim", "a=%"],
  OTEL_TRACES_SAMPLER: ["geheim", "jaeger_remote"],
  OTEL_TRACES_SAMPLER_ARG: ["1.5", "-1", "geheim"],
  NODE_ENV: ["prod", "Production", " production", "staging", "geheim"],
};
for (const [name, values] of Object.entries(REFUSED)) {
  test(`${name} is refused by its name, and its value is not repeated, for ${values.length} wrong values`, () => {
    for (const value of values) {
      const mistakes = mistakesOf({ [name]: value });
      assert.deepEqual(
        mistakes.map((mistake) => mistake.split(" ", 1)[0]),
        [name],
        value,
      );
      assert.doesNotMatch(mistakes.join(), /geheim|Z2VoZWlt/);
      if (value.length > 3) assert.equal(mistakes.join().includes(ROOT_KEY.slice(1, 20)), false);
    }
  });
}

const DATABASE_URLS = [
  "postgres://u:%2F%3F%23%40%25@h:5432/d?sslmode=require",
  "postgres://u@[::1]:5432/d",
  "postgres://u:p@h1:5432,h2:5433/d?target_session_attrs=read-write",
  "postgresql:///d",
];
for (const url of DATABASE_URLS) {
  test(`the database ${url} is taken as it stands`, () => {
    assert.equal(configOf({ DATABASE_URL: url }).databaseUrl, url);
    assert.deepEqual(readDatabaseUrl({ DATABASE_URL: url }), { databaseUrl: url });
  });
}

const LOOPBACK = [
  "http://localhost:8081",
  "http://127.0.0.1:9000/tenant",
  "http://127.8.9.10",
  "http://[::1]:80",
];
for (const issuer of LOOPBACK) {
  test(`the issuer ${issuer} is on this machine and may do without TLS`, () => {
    assert.deepEqual(configOf({ ...PRODUCTION, KEYTURN_OIDC_ISSUER: issuer }).oidcIssuers, [issuer]);
  });
}

const REQUIRED = [
  "DATABASE_URL",
  "KEYTURN_OIDC_ISSUER",
  "KEYTURN_OIDC_AUDIENCE",
  "KEYTURN_TOKEN_ISSUER",
  "KEYTURN_ROOT_KEY",
];
for (const name of REQUIRED) {
  test(`production demands ${name}, and an empty one is none`, () => {
    for (const value of [undefined, ""]) {
      const mistakes = mistakesOf({ ...PRODUCTION, [name]: value });
      assert.equal(mistakes.length, 1);
      assert.match(mistakes[0] ?? "", new RegExp(`^${name} .*required in production$`));
    }
  });
}

const CHEAP: Env[] = [{ KEYTURN_ARGON2_MEMORY_KIB: "19455" }, { KEYTURN_ARGON2_PASSES: "1" }];
for (const env of CHEAP) {
  test(`production refuses a hash that is cheaper than OWASP's: ${Object.keys(env)[0]}`, () => {
    assert.equal(mistakesOf({ ...PRODUCTION, ...env }).length, 1);
  });
}

test("every mistake is named at once, one line each, those between variables included", () => {
  const env = Object.fromEntries(Object.entries(REFUSED).map(([name, [value]]) => [name, value]));
  const { KEYTURN_LIFETIME_DEFAULT: _1, KEYTURN_LIFETIME_MIN: _2, KEYTURN_LIFETIME_MAX: _3, ...wrong } = env;
  const mistakes = mistakesOf({ ...wrong, KEYTURN_LIFETIME_MAX: "1d" });
  const expected = [...Object.keys(wrong), "KEYTURN_LIFETIME_MIN,"].sort();
  assert.deepEqual(mistakes.map((mistake) => mistake.split(" ", 1)[0] ?? "").sort(), expected);
  for (const mistake of mistakes) assert.doesNotMatch(mistake, /\n/);
});

const LIFETIMES: { min?: string; standard?: string; max?: string; isGood: boolean }[] = [
  { min: "1h", standard: "1h", max: "1h", isGood: true },
  { min: "60m", standard: "1h", max: "3600s", isGood: true },
  { min: "2h", standard: "1h", max: "3h", isGood: false },
  { min: "1h", standard: "4h", max: "3h", isGood: false },
  { max: "30d", isGood: false },
  { min: "91d", isGood: false },
  { standard: "366d", isGood: false },
];
for (const { min, standard, max, isGood } of LIFETIMES) {
  test(`lifetimes of ${min ?? "60s"}, ${standard ?? "90d"} and ${max ?? "365d"} are ${isGood ? "in" : "out of"} order`, () => {
    const env = { KEYTURN_LIFETIME_MIN: min, KEYTURN_LIFETIME_DEFAULT: standard, KEYTURN_LIFETIME_MAX: max };
    assert.equal(mistakesOf(env).length, isGood ? 0 : 1);
  });
}

const ROOT_KEY_FILES = [
  {
    name: "with the variable beside it",
    env: { KEYTURN_ROOT_KEY: ROOT_KEY, KEYTURN_ROOT_KEY_FILE: "/keys" },
  },
  { name: "that is not there", env: { KEYTURN_ROOT_KEY_FILE: "/absent" } },
  { name: "that is empty", env: { KEYTURN_ROOT_KEY_FILE: "/empty" } },
  { name: "that holds no key", env: { KEYTURN_ROOT_KEY_FILE: "/geheim" } },
];
for (const { name, env } of ROOT_KEY_FILES) {
  test(`a root key file ${name} is one mistake that names it, in production too`, () => {
    for (const around of [{}, { ...PRODUCTION, KEYTURN_ROOT_KEY: undefined }]) {
      const mistakes = mistakesOf({ ...around, ...env });
      assert.equal(mistakes.length, 1);
      assert.match(mistakes[0] ?? "", /KEYTURN_ROOT_KEY_FILE/);
      assert.doesNotMatch(mistakes[0] ?? "", /geheim/);
    }
  });
}

test("a migrate asks for the database and names nothing else", () => {
  for (const url of [undefined, "", "geheim"]) {
    const result = readDatabaseUrl({ NODE_ENV: "production", DATABASE_URL: url });
    assert.ok("mistakes" in result);
    assert.equal(result.mistakes.length, 1);
    assert.match(result.mistakes[0] ?? "", /^DATABASE_URL must /);
  }
});

test("channelz is refused beside workers, of whose connections it would show one's", () => {
  const [mistake, ...more] = mistakesOf({ KEYTURN_WORKERS: "2", KEYTURN_CHANNELZ_PORT: "0" });
  assert.match(mistake ?? "", /^KEYTURN_CHANNELZ_PORT /);
  assert.deepEqual(more, []);
  assert.deepEqual(mistakesOf({ KEYTURN_WORKERS: "1", KEYTURN_CHANNELZ_PORT: "0" }), []);
});
