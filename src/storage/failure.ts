import { abortFault, FaultError, invalidArgument, unavailable } from "../domain/fault.ts";

/**
 * Turns what the driver throws for a statement that was sent into a fault. The one place that knows SQLSTATEs and the
 * driver's own codes.
 *
 * A database in trouble is always `unavailable`, never a refusal. The driver's error itself goes no further than the
 * `cause`: its message, detail and parameters may hold values of rows.
 */
export function storageFault(err: unknown, signal: AbortSignal): FaultError {
  if (err instanceof FaultError) return err;
  const code = codeOf(err);
  if (connectionIsLost(err)) return unavailable("database", RETRY_DELAY_MS, { inDoubt: true, cause: err });
  if (wasCancelled(err) && signal.aborted) return abortFault(signal);
  if (code === "55P03" || code === "40P01" || code === "40001") {
    return new FaultError({ kind: "lock_timeout" }, { cause: err });
  }
  // PostgreSQL keeps no U+0000, in text (22021) or in JSON (22P05): the caller sent it.
  if (code === "22021" || code === "22P05")
    return invalidArgument({ field: "", description: "no text may hold the character U+0000" });
  // 53 out of resources, 57 operator intervention, 58 system error, 25006 read-only: it could not, rather than would not.
  if (/^(53|57|58)/.test(code) || code === "25006")
    return unavailable("database", RETRY_DELAY_MS, { cause: err });
  return new FaultError({ kind: "internal" }, { cause: err });
}

/** The fault of a statement that was not sent, because its connection did not open, for whatever reason. */
export function notOpenedFault(err: unknown): FaultError {
  return unavailable("database", RETRY_DELAY_MS, { cause: err });
}

/** Whether nobody can know if the statement took effect, and its connection is of no more use. */
export function connectionIsLost(err: unknown): boolean {
  const code = codeOf(err);
  return CONNECTION_LOST.has(code) || code.startsWith("08");
}

/** Whether the server ended the statement because somebody asked it to. */
export function wasCancelled(err: unknown): boolean {
  return codeOf(err) === "57014";
}

/** What went wrong with the database, in words for whoever runs a command. Never the driver's, which may quote a row. */
export function failureWords(err: unknown): string {
  if (!(err instanceof FaultError)) return err instanceof Error ? err.message : String(err);
  const code = codeOf(err.cause);
  if (code === "42501") return "the login in DATABASE_URL may not do this";
  if (UNMIGRATED.has(code)) return "the database does not have the schema of this release: migrate it first";
  if (err.fault.kind === "lock_timeout") return "other calls held what this needs for too long: try again";
  if (err.fault.kind === "cancelled") return "the database took too long to answer";
  return `the database ${err.fault.kind === "unavailable" ? "cannot be used now" : "failed"} (${code || err.fault.kind})`;
}

/** Schema, table, column, function or type unknown. */
const UNMIGRATED: ReadonlySet<string> = new Set(["3F000", "42P01", "42703", "42883", "42704"]);

const RETRY_DELAY_MS = 500;

const CONNECTION_LOST: ReadonlySet<string> = new Set([
  "CONNECTION_CLOSED",
  "CONNECTION_DESTROYED",
  "CONNECTION_ENDED",
  "ECONNABORTED",
  "ECONNRESET",
  "EHOSTUNREACH",
  "ENETDOWN",
  "ENETUNREACH",
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
