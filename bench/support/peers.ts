import { existsSync, readFileSync } from "node:fs";
import type { Bench } from "./bench.ts";

const PEERS = "bench/peers";

/** Why no peer can be run. */
export const withoutPeers = (): string | undefined =>
  existsSync(`${PEERS}/node_modules`) ? undefined : `the peers are not installed: npm ci --prefix ${PEERS}`;

export interface Peer {
  readonly pid: number;
  readonly url: string;
}

/** oidc-provider on the same PostgreSQL: its token endpoint. */
export async function startOidcProvider(bench: Bench, clients: number): Promise<Peer> {
  const env = { DATABASE_URL: await bench.emptyDatabase(), CLIENTS: String(clients) };
  const peer = bench.start([process.execPath, "oidc-provider.mjs"], env, PEERS);
  const { url } = await peer.line<{ url: string }>((line) => "url" in line);
  return { pid: peer.pid, url };
}

/** better-auth with its api-key plugin on the same PostgreSQL. */
export async function startBetterAuth(
  bench: Bench,
  keyCount: number,
): Promise<Peer & { readonly keys: readonly string[] }> {
  const env = { DATABASE_URL: await bench.emptyDatabase(), KEYS: String(keyCount) };
  const peer = bench.start([process.execPath, "better-auth.mjs"], env, PEERS);
  const { url, keys } = await peer.line<{ url: string; keys: string[] }>((line) => "keys" in line);
  return { pid: peer.pid, url, keys };
}

/** Name and version of each peer that is installed. */
export function peerVersions(): Readonly<Record<string, string>> {
  if (withoutPeers() !== undefined) return {};
  const names = ["oidc-provider", "better-auth", "@better-auth/api-key"];
  return Object.fromEntries(
    names.map((name) => [
      name,
      JSON.parse(readFileSync(`${PEERS}/node_modules/${name}/package.json`, "utf8")).version,
    ]),
  );
}
