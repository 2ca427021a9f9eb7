import { existsSync, readFileSync } from "node:fs";
import type { Bench } from "./bench.ts";
import { hydraVersion } from "./hydra.ts";
import { keycloakVersion } from "./keycloak.ts";
import { givenClients } from "./peer-process.ts";
import type { TokenEndpoint } from "./tokens.ts";

const PEERS = "bench/peers";

/** Why no peer can be run. */
export const withoutPeers = (): string | undefined =>
  existsSync(`${PEERS}/node_modules`) ? undefined : `the peers are not installed: npm ci --prefix ${PEERS}`;

/** oidc-provider on the same PostgreSQL: its token endpoint. */
export async function startOidcProvider(bench: Bench, clientCount: number): Promise<TokenEndpoint> {
  const clients = givenClients(clientCount);
  const env = { DATABASE_URL: await bench.emptyDatabase(), CLIENTS: JSON.stringify(clients) };
  const peer = bench.start([process.execPath, "oidc-provider.mjs"], env, PEERS);
  const { url } = await peer.line<{ url: string }>((line) => "url" in line);
  return { pid: peer.pid, url, path: "/token", clients };
}

export interface KeyVerifier {
  readonly pid: number;
  readonly url: string;
  readonly keys: readonly string[];
}

/** better-auth with its api-key plugin on the same PostgreSQL. */
export async function startBetterAuth(bench: Bench, keyCount: number): Promise<KeyVerifier> {
  const env = { DATABASE_URL: await bench.emptyDatabase(), KEYS: String(keyCount) };
  const peer = bench.start([process.execPath, "better-auth.mjs"], env, PEERS);
  const { url, keys } = await peer.line<{ url: string; keys: string[] }>((line) => "keys" in line);
  return { pid: peer.pid, url, keys };
}

/** Name and version of each peer that is installed. */
export function peerVersions(): Readonly<Record<string, string>> {
  const names = withoutPeers() === undefined ? ["oidc-provider", "better-auth", "@better-auth/api-key"] : [];
  const versionOf = (name: string): string =>
    JSON.parse(readFileSync(`${PEERS}/node_modules/${name}/package.json`, "utf8")).version;
  const [hydra, keycloak] = [hydraVersion(), keycloakVersion()];
  return {
    ...Object.fromEntries(names.map((name) => [name, versionOf(name)])),
    ...(hydra === undefined ? {} : { "Ory Hydra": hydra }),
    ...(keycloak === undefined ? {} : { Keycloak: keycloak }),
  };
}
