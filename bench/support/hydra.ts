import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { freePort } from "../../src/dev/postmaster.ts";
import type { Bench } from "./bench.ts";
import { givenClients, postJson, TOOLS, untilItAnswers } from "./peer-process.ts";
import type { TokenEndpoint } from "./tokens.ts";

const HYDRA = `${TOOLS}/hydra`;

/**
 * More than callers. A token's transaction waits for the lock of the key, whose holder waits for a connection: with fewer than there are
 * callers, as by default, all of them are soon held by those who wait, and no call is answered any more.
 */
const CONNECTIONS = 32;

/** Undefined where it is not installed. */
export function hydraVersion(): string | undefined {
  if (!existsSync(HYDRA)) return undefined;
  return /^Version:\s+v?(\S+)$/m.exec(spawnSync(HYDRA, ["version"], { encoding: "utf8" }).stdout)?.[1];
}

/** Ory Hydra on the same PostgreSQL, as in production behind a proxy that ends TLS. It tells nobody of its use. */
export async function startHydra(bench: Bench, clientCount: number): Promise<TokenEndpoint> {
  const [publicPort, adminPort] = [await freePort(), await freePort()];
  const env = {
    DSN: `${await bench.emptyDatabase()}?sslmode=disable&max_conns=${CONNECTIONS}&max_idle_conns=${CONNECTIONS}`,
    SECRETS_SYSTEM: "0123456789abcdef0123456789abcdef",
    URLS_SELF_ISSUER: "https://hydra.example",
    STRATEGIES_ACCESS_TOKEN: "jwt",
    TTL_ACCESS_TOKEN: "15m",
    SERVE_PUBLIC_HOST: "127.0.0.1",
    SERVE_PUBLIC_PORT: String(publicPort),
    SERVE_ADMIN_HOST: "127.0.0.1",
    SERVE_ADMIN_PORT: String(adminPort),
    LOG_LEVEL: "warn",
    SQA_OPT_OUT: "true",
  };
  const migration = bench.start([HYDRA, "migrate", "sql", "up", "-e", "-y"], env);
  const code = await migration.exited;
  if (code !== 0) throw new Error(`hydra migrate ended with ${code}`);
  const peer = bench.start([HYDRA, "serve", "all"], env);
  const admin = `http://127.0.0.1:${adminPort}`;
  await untilItAnswers(peer, `${admin}/health/ready`);
  await postJson(`${admin}/admin/keys/hydra.jwt.access-token`, { alg: "ES256", use: "sig", kid: "one" });
  const clients = givenClients(clientCount);
  for (const { id, secret } of clients)
    await postJson(`${admin}/admin/clients`, {
      client_id: id,
      client_secret: secret,
      grant_types: ["client_credentials"],
      token_endpoint_auth_method: "client_secret_basic",
    });
  return { pid: peer.pid, url: `http://127.0.0.1:${publicPort}`, path: "/oauth2/token", clients };
}
