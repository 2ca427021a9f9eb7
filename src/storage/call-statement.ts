import { unavailable } from "../domain/fault.ts";
import type { Database } from "./database.ts";
import type { Statement } from "./lane.ts";

const RETRY_DELAY_MS = 500;

/**
 * Runs a statement of one call. A database that says nothing for long is told as out of reach while the caller still has
 * the time to hear it, and to ask again: by his deadline alone he could not tell it from a call that takes too long. What
 * was sent may have been done.
 * @param signal the caller's own.
 * @throws FaultError as `Database.run` does.
 */
export async function runOfCall<Row extends object>(
  db: Database,
  signal: AbortSignal,
  statement: Statement<Row>,
  group?: string,
): Promise<Row[]> {
  const controller = new AbortController();
  const leave = () => controller.abort(signal.reason);
  const giveUp = () => controller.abort(unavailable("database", RETRY_DELAY_MS, { inDoubt: true }));
  let timer: NodeJS.Timeout | undefined;
  if (signal.aborted) leave();
  signal.addEventListener("abort", leave, { once: true });
  try {
    return await db.run<Row>(
      controller.signal,
      (sql) => {
        // The wait for a connection has a limit of its own.
        timer = setTimeout(giveUp, db.silenceMsMax);
        return statement(sql);
      },
      group,
    );
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", leave);
  }
}
