import { type DestinationStream, type Logger, pino } from "pino";
import { FaultError } from "../domain/fault.ts";
import type { CallRecord } from "./call-record.ts";

/**
 * The log. Every line is made here from an allow-list of fields: no message, header, body, parameter or error text of a
 * call ever gets in, so no secret can, at any level.
 */
export interface Log {
  /** One wide line for a call that has ended. */
  called(record: CallRecord): void;
  /** What made a call fail on our side, by codes and stack frames, never by message. */
  defect(requestId: string, err: unknown): void;
  /** The service itself: started, draining, key set loaded. `fields` must hold no caller's data. */
  event(
    level: "debug" | "info" | "warn" | "error" | "fatal",
    event: string,
    fields?: Readonly<Record<string, unknown>>,
  ): void;
}

export function createLog(level: string, destination?: DestinationStream): Log {
  const options = { level, base: { service: "keyturn" }, timestamp: pino.stdTimeFunctions.isoTime };
  const logger: Logger = destination === undefined ? pino(options) : pino(options, destination);
  return {
    called: (record) => logger.info(callFields(record), "call"),
    defect: (requestId, err) => logger.error({ request_id: requestId, ...defectFields(err) }, "defect"),
    event: (eventLevel, event, fields = {}) => logger[eventLevel](fields, event),
  };
}

/**
 * The process's own output, written in pieces of 4 KiB or ten times a second: a write a line would be a system call a
 * call. What is left is written when the process ends, unless it is killed.
 */
export const bufferedOutput = (): DestinationStream =>
  pino.destination({ dest: 1, sync: false, minLength: 4096, periodicFlush: 100 });

function callFields(record: CallRecord): Record<string, unknown> {
  return {
    request_id: record.requestId,
    door: record.door,
    rpc_service: record.service,
    rpc_method: record.method,
    code: record.code,
    reason: record.reason === "" ? undefined : record.reason,
    inner: record.inner,
    duration_ms: Math.round(record.durationMs * 1000) / 1000,
    organization_id: record.organizationId,
    issuer: record.issuer,
    subject: record.subject,
    client_address: record.clientAddress,
  };
}

/**
 * What may be said of an unexpected error: its class, its code, and where. The text of messages, details and parameters
 * may hold values of a caller or of a row.
 */
export function defectFields(err: unknown): Record<string, unknown> {
  const cause = err instanceof FaultError && err.cause !== undefined ? err.cause : err;
  if (!(cause instanceof Error)) return { error: typeof cause };
  const known = cause as Error & Record<"code" | "constraint_name" | "routine", unknown>;
  return {
    error: cause.name,
    error_code: word(known.code),
    constraint: word(known.constraint_name),
    routine: word(known.routine),
    frames: framesOf(cause),
  };
}

const word = (value: unknown): string | undefined =>
  typeof value === "string" && /^[A-Za-z0-9_.-]{1,80}$/.test(value) ? value : undefined;

function framesOf(err: Error): string[] {
  const lines = (err.stack ?? "").split("\n").map((line) => line.trim());
  return lines.filter((line) => /^at .*:\d+:\d+\)?$/.test(line)).slice(0, 8);
}
