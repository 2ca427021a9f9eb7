import { type Database, openDatabase } from "../../src/storage/database.ts";

/** Far more than anything here takes: only a failure waits for it. */
const PATIENCE_MS = 60_000;

/** The pool of one server, whose callers wait for as long as it takes. The caller closes it. */
export function givenPool(url: string, connections = 1): Database {
  return openDatabase({
    url,
    connectionsMax: connections,
    connectionsOfGroupMax: Math.ceil(connections / 2),
    queueMax: 100_000,
    queueWaitMsMax: PATIENCE_MS,
    groupWaitMsMax: PATIENCE_MS,
    statementTimeoutMs: PATIENCE_MS,
    lockTimeoutMs: PATIENCE_MS,
    cancelGraceMs: 1_000,
  });
}
