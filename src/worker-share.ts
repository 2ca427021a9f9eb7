import type { Config } from "./config.ts";

/**
 * What one of several workers gets of what there is of each once a server: permits to hash, secrets kept ready, connections.
 * The sum is what is configured, but nobody gets less than one permit and one connection (docs/adr/0022).
 */
export function shareOf(config: Config, slot: number): Config {
  const { hashPermits, mintPoolSize, databaseConnectionsMax, workers } = config;
  const share = (total: number) => Math.floor(total / workers) + (slot < total % workers ? 1 : 0);
  return {
    ...config,
    adminPort: undefined,
    hashPermits: Math.max(1, share(hashPermits)),
    mintPoolSize: share(mintPoolSize),
    databaseConnectionsMax: Math.max(1, share(databaseConnectionsMax)),
  };
}
