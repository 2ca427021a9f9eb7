import { abortFault, FaultError, unavailable } from "../domain/fault.ts";

/**
 * Turns what the driver throws into a fault. The one place that knows SQLSTATEs and the driver's own codes.
 *
 * A database in trouble is always `unavailable`, never a refusal. The driver's error itself goes no further than the
 * `cause`: its message, detail and parameters may hold values of rows.
 */
export function storageFault(err: unknown, signal: AbortSignal): FaultError {
  if (err instanceof FaultError) return err;
  const code = codeOf(err);
  if (NEVER_CONNECTED.has(code)) return unavailable("database", RETRY_DELAY_MS, { cause: err });
  if (CONNECTION_LOST.has(code) || code.startsWith("08")) {
    return unavailable("database", RETRY_DELAY_MS, { inDoubt: true, cause: err });
  }
  if (code === "57014" && signal.aborted) return abortFault(signal);
  if (code === "55P03" || code === "40P01" || code === "40001") {
    return new FaultError({ kind: "lock_timeout" }, { cause: err });
  }
  // The schema or a function is not there yet: the migration is still to come, and a retry will find it done.
  if (code === "3F000" || code === "42883" || code === "42P01")
    return unavailable("database", RETRY_DELAY_MS, { cause: err });
  // 53 out of resources, 57 operator intervention, 58 system error, 25006 read-only: it could not, rather than would not.
  if (/^(53|57|58)/.test(code) || code === "25006")
    return unavailable("database", RETRY_DELAY_MS, { cause: err });
  return new FaultError({ kind: "internal" }, { cause: err });
}

/** Whether the connection that failed so is of no more use. */
export function connectionIsLost(err: unknown): boolean {
  const code = codeOf(err);
  return NEVER_CONNECTED.has(code) || CONNECTION_LOST.has(code) || code.startsWith("08");
}

const RETRY_DELAY_MS = 500;

/** Codes after which the statement cannot have reached the server. */
const NEVER_CONNECTED: ReadonlySet<string> = new Set([
  "CONNECT_TIMEOUT",
  "ECONNREFUSED",
  "EHOSTUNREACH",
  "ENETUNREACH",
  "ENOTFOUND",
  "EAI_AGAIN",
  "EMFILE",
  "28000",
  "28P01",
  "3D000",
  "53300",
  "57P03",
]);

/** Codes after which nobody can know whether the statement took effect. */
const CONNECTION_LOST: ReadonlySet<string> = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "CONNECTION_ENDED",
  "ECONNRESET",
  "EPIPE",
  "ETIMEDOUT",
  "57P01",
  "57P02",
  "57P05",
]);

function codeOf(err: unknown): string {
  return typeof err === "object" && err !== null && "code" in err && typeof err.code === "string"
    ? err.code
    : "";
}
