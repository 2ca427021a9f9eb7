/** A server process as in production, but for its hashes: they cost nothing, so that the database is all the work. */
import { once } from "node:events";
import { startKeyturn } from "../../src/compose.ts";
import { readConfig } from "../../src/config.ts";
import { createLog } from "../../src/observability/log.ts";

const result = readConfig(process.env, { readFile: () => "", cores: 2 });
if ("mistakes" in result) throw new Error(result.mistakes.join("; "));
const { databaseUrl, rootKeys } = result.config;
if (databaseUrl === undefined || rootKeys === undefined) throw new Error("needs a database and a root key");

const log = createLog(result.config.logLevel);
const config = Object.freeze({ ...result.config, hashMemoryKib: 64, hashPasses: 1 });
const keyturn = await startKeyturn(config, { databaseUrl, rootKeys, keySets: new Map() }, log);
log.event("info", "listening", keyturn.addresses);
await once(process, "SIGTERM");
await keyturn.stop(5_000);
process.exit();
