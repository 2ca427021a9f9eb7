import { existsSync, readFileSync } from "node:fs";
import { freePort } from "../../src/dev/postmaster.ts";
import type { Bench } from "./bench.ts";
import { givenClients, postJson, TOOLS, untilItAnswers } from "./peer-process.ts";
import { type Client, fetchToken, type TokenEndpoint } from "./tokens.ts";

const KEYCLOAK = `${TOOLS}/keycloak`;
const ADMIN: Client = { id: "bench-admin", secret: "secret-of-the-administrator" };
const REALM = "bench";

const tokenPath = (realm: string): string => `/realms/${realm}/protocol/openid-connect/token`;

/** Undefined where it is not installed. */
export const keycloakVersion = (): string | undefined =>
  existsSync(`${KEYCLOAK}/version.txt`)
    ? /Version (\S+)/.exec(readFileSync(`${KEYCLOAK}/version.txt`, "utf8"))?.[1]
    : undefined;

/** Keycloak on the same PostgreSQL, as in production behind a proxy that ends TLS, on one machine alone. */
export async function startKeycloak(bench: Bench, clientCount: number): Promise<TokenEndpoint> {
  const database = new URL(await bench.emptyDatabase());
  const port = await freePort();
  const peer = bench.start([`${KEYCLOAK}/bin/kc.sh`, "start", "--optimized"], {
    KC_DB_URL: `jdbc:postgresql://${database.host}${database.pathname}`,
    KC_DB_USERNAME: decodeURIComponent(database.username),
    KC_DB_PASSWORD: decodeURIComponent(database.password),
    KC_HOSTNAME: "https://keycloak.example",
    KC_HTTP_ENABLED: "true",
    KC_HTTP_HOST: "127.0.0.1",
    KC_HTTP_PORT: String(port),
    KC_CACHE: "local",
    KC_LOG_LEVEL: "warn",
    KC_BOOTSTRAP_ADMIN_CLIENT_ID: ADMIN.id,
    KC_BOOTSTRAP_ADMIN_CLIENT_SECRET: ADMIN.secret,
  });
  const url = `http://127.0.0.1:${port}`;
  await untilItAnswers(peer, `${url}/realms/master`);
  const token = await fetchToken(url, tokenPath("master"), ADMIN);
  const clients = givenClients(clientCount);
  await postJson(`${url}/admin/realms`, realmOf(clients), { authorization: `Bearer ${token}` });
  return { pid: peer.pid, url, path: tokenPath(REALM), clients };
}

const realmOf = (clients: readonly Client[]) => ({
  realm: REALM,
  enabled: true,
  accessTokenLifespan: 900,
  defaultSignatureAlgorithm: "ES256",
  components: {
    "org.keycloak.keys.KeyProvider": [
      {
        name: "es256",
        providerId: "ecdsa-generated",
        config: { priority: ["100"], ecdsaEllipticCurveKey: ["P-256"] },
      },
    ],
  },
  clients: clients.map(({ id, secret }) => ({
    clientId: id,
    secret,
    publicClient: false,
    serviceAccountsEnabled: true,
    standardFlowEnabled: false,
  })),
});
