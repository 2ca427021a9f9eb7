import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { after, before } from "node:test";
import { selfSigned } from "../support/certificate.ts";
import { givenDataDir } from "./data-folder.ts";
import { type GivenDoctor, givenDoctor } from "./given-doctor.ts";
import { scopeOf } from "./keyturn-command.ts";
import { type Misconfiguration, type Seed, testEach, warning, wrong } from "./misconfiguration.ts";

const scope = scopeOf({ after });
let d: GivenDoctor;
before(async () => {
  d = await givenDoctor(scope);
});

const DAY_MS = 86_400_000;

/** A root key in a file of this mode. */
const keyFile =
  (mode: number): Seed =>
  async (at) => {
    const file = join(await givenDataDir(at), "root-key");
    writeFileSync(file, randomBytes(32).toString("base64"));
    chmodSync(file, mode);
    return { KEYTURN_ROOT_KEY: undefined, KEYTURN_ROOT_KEY_FILE: file };
  };

const takenPort: Seed = async (at) => {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  at.after(() => server.close());
  return { KEYTURN_GRPC_PORT: String((server.address() as AddressInfo).port) };
};

/** A certificate of the gRPC door until so many days from now. */
const certificate =
  (days: number): Seed =>
  async (at) => {
    const folder = await givenDataDir(at);
    const { cert, key } = selfSigned(Date.now() + (days - 1) * DAY_MS);
    const [certFile, keyFile] = [join(folder, "cert"), join(folder, "key")];
    writeFileSync(certFile, cert);
    writeFileSync(keyFile, key);
    chmodSync(keyFile, 0o600);
    return { KEYTURN_GRPC_CERT_FILE: certFile, KEYTURN_GRPC_KEY_FILE: keyFile };
  };

/** What the configuration refuses by itself. */
const refused = (what: string, where: string, seed: Seed): Misconfiguration =>
  wrong(what, "configuration", where, seed);

const ROOT_KEYS: readonly Misconfiguration[] = [
  refused("no root key", "KEYTURN_ROOT_KEY", { KEYTURN_ROOT_KEY: undefined }),
  refused("a root key that is too short", "KEYTURN_ROOT_KEY", { KEYTURN_ROOT_KEY: "c2hvcnQ=" }),
  refused("a root key twice", "KEYTURN_ROOT_KEY", (_at, { env: { KEYTURN_ROOT_KEY: key } }) => ({
    KEYTURN_ROOT_KEY: `${key},${key}`,
  })),
  refused("a root key file that is not there", "KEYTURN_ROOT_KEY_FILE", {
    KEYTURN_ROOT_KEY: undefined,
    KEYTURN_ROOT_KEY_FILE: "/nonexistent/key",
  }),
  wrong("a root key that somebody has typed", "root_key_guessable", "KEYTURN_ROOT_KEY", {
    KEYTURN_ROOT_KEY: Buffer.alloc(32, "keyturn").toString("base64"),
  }),
  wrong(
    "a root key file that everybody can read",
    "root_key_readable",
    "KEYTURN_ROOT_KEY_FILE",
    keyFile(0o644),
  ),
  wrong(
    "a root key file that others can write",
    "root_key_writable",
    "KEYTURN_ROOT_KEY_FILE",
    keyFile(0o620),
  ),
];

const VARIABLES: readonly Misconfiguration[] = [
  refused("no audience", "KEYTURN_OIDC_AUDIENCE", { KEYTURN_OIDC_AUDIENCE: undefined }),
  refused("an issuer without TLS elsewhere", "KEYTURN_OIDC_ISSUER", {
    KEYTURN_OIDC_ISSUER: "http://login.example.com",
  }),
  refused("hashes below OWASP in production", "KEYTURN_ARGON2_MEMORY_KIB", {
    KEYTURN_ARGON2_MEMORY_KIB: "4096",
  }),
  refused("a certificate without its key", "KEYTURN_HTTP_CERT_FILE and KEYTURN_HTTP_KEY_FILE", {
    KEYTURN_HTTP_CERT_FILE: "package.json",
  }),
  refused("a client CA without TLS", "KEYTURN_GRPC_CLIENT_CA_FILE", {
    KEYTURN_GRPC_CLIENT_CA_FILE: "package.json",
  }),
  refused("lifetimes out of order", "KEYTURN_LIFETIME_MIN, KEYTURN_LIFETIME_DEFAULT, KEYTURN_LIFETIME_MAX", {
    KEYTURN_LIFETIME_MAX: "1d",
  }),
  refused("a mode that is none", "NODE_ENV", { NODE_ENV: "prod" }),
  wrong("a misspelt variable", "unknown_variable", "KEYTURN_OIDC_ISSUERS", {
    KEYTURN_OIDC_ISSUERS: "https://a",
  }),
  wrong("proxies anywhere", "trusted_proxies", "KEYTURN_TRUSTED_PROXIES", {
    KEYTURN_TRUSTED_PROXIES: "10.0.0.0/16,0.0.0.0/0",
  }),
  warning("a cluster as proxies", "trusted_proxies", "KEYTURN_TRUSTED_PROXIES", {
    KEYTURN_TRUSTED_PROXIES: "10.0.0.0/8",
  }),
  wrong(
    "a platform's role that organizations have too",
    "platform_role_shared",
    "KEYTURN_PLATFORM_VERIFIER_ROLES",
    { KEYTURN_PLATFORM_VERIFIER_ROLES: "verifier" },
  ),
  warning("reflection in production", "reflection", "KEYTURN_REFLECTION", { KEYTURN_REFLECTION: "on" }),
  warning("a log that is mute", "log_level", "LOG_LEVEL", { LOG_LEVEL: "error" }),
  warning("development", "development_mode", "NODE_ENV", { NODE_ENV: undefined }),
  warning("cheap hashes in development", "argon2_cost", "KEYTURN_ARGON2_MEMORY_KIB, KEYTURN_ARGON2_PASSES", {
    NODE_ENV: undefined,
    KEYTURN_ARGON2_PASSES: "1",
  }),
];

const DOORS: readonly Misconfiguration[] = [
  wrong("two doors on one port", "ports_shared", "KEYTURN_HTTP_PORT", {
    KEYTURN_HTTP_PORT: "45999",
    KEYTURN_GRPC_PORT: "45999",
  }),
  wrong("channelz on the port of a door", "ports_shared", "KEYTURN_CHANNELZ_PORT", {
    KEYTURN_CHANNELZ_PORT: "45998",
    KEYTURN_GRPC_PORT: "45998",
  }),
  wrong("a port that is taken", "port_in_use", "KEYTURN_GRPC_PORT", takenPort),
  wrong("a host that is not this machine", "host_foreign", "KEYTURN_GRPC_PORT", {
    KEYTURN_HOST: "192.0.2.1",
  }),
  wrong("a certificate that has run out", "certificate_expired", "KEYTURN_GRPC_CERT_FILE", certificate(-1)),
  warning(
    "a certificate that soon runs out",
    "certificate_expires",
    "KEYTURN_GRPC_CERT_FILE",
    certificate(1),
  ),
  warning("doors in clear that others reach", "door_in_clear", "KEYTURN_GRPC_CERT_FILE", {
    KEYTURN_HOST: "0.0.0.0",
  }),
  warning("a privileged port", "port_privileged", "KEYTURN_HTTP_PORT", { KEYTURN_HTTP_PORT: "443" }),
  warning("an admin door for everybody", "admin_door_public", "KEYTURN_ADMIN_HOST", {
    KEYTURN_ADMIN_HOST: "0.0.0.0",
  }),
];

testEach(() => d, [...ROOT_KEYS, ...VARIABLES, ...DOORS]);
