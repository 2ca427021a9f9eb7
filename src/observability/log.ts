import { type DestinationStream, type Logger, pino } from "pino";
import { type Fault, FaultError } from "../domain/fault.ts";
import type { CallRecord } from "./call-record.ts";

/**
 * The log. Every line is made here from an allow-list of fields: no message, header, body, parameter or error text of a
 * call ever gets in, so no secret can, at any level.
 */
export interface Log {
  /**
   * One wide line for a call that has ended: at `error` when the failure is ours, at `warn` when something was away or slow,
   * else at `info`.
   */
  called(record: CallRecord): void;
  /**
   * What has failed, and where, by codes and stack frames, never by message: at `warn`, as `trouble`, when something was away, full or slow,
   * which is expected of it at times; else at `error`, as a `defect`.
   */
  failed(place: FailedPlace, err: unknown): void;
  /** The service itself: started, draining, key set loaded. `fields` must hold no caller's data. */
  event(
    level: "debug" | "info" | "warn" | "error" | "fatal",
    event: string,
    fields?: Readonly<Record<string, unknown>>,
  ): void;
}

/** A call, or a part of the service that works beside all calls. */
export type FailedPlace =
  | { readonly part: string }
  | {
      readonly requestId: string;
      readonly door: string;
      readonly method: { readonly name: string };
      readonly span: { readonly traceId: string } | undefined;
    };

export function createLog(level: string, destination: DestinationStream = pino.destination(1)): Log {
  const options = {
    level,
    base: BASE,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (name: string) => ({ level: name }) },
  };
  const logger: Logger = pino(options, destination);
  const lineOf = createCallLines();
  return {
    called(record) {
      const callLevel = levelOf(record);
      if (logger.isLevelEnabled(callLevel)) destination.write(lineOf(callLevel, record));
    },
    failed(place, err) {
      const fields = { ...placeFields(place), ...defectFields(err) };
      if (isTrouble(err)) logger.warn(fields, "trouble");
      else logger.error(fields, "defect");
    },
    event: (eventLevel, event, fields = {}) => logger[eventLevel](fields, event),
  };
}

/** What every line begins with, after its level and its time. */
const BASE = { service: "keyturn" };

/** Nothing that we do takes so long, unless it waits for somebody's lock or for a database in trouble. */
const SLOW_MS = 1_000;
const OUR_FAULT: ReadonlySet<string> = new Set(["INTERNAL", "UNKNOWN", "DATA_LOSS"]);
const AWAY_OR_LATE: ReadonlySet<string> = new Set(["UNAVAILABLE", "DEADLINE_EXCEEDED"]);

function levelOf({ code, durationMs }: CallRecord): "info" | "warn" | "error" {
  if (code === "OK" && durationMs < SLOW_MS) return "info";
  if (OUR_FAULT.has(code)) return "error";
  return durationMs >= SLOW_MS || AWAY_OR_LATE.has(code) ? "warn" : "info";
}

/** What a database, an issuer or an overload can do to any work. */
const TROUBLES: ReadonlySet<Fault["kind"]> = new Set([
  "unavailable",
  "lock_timeout",
  "deadline_exceeded",
  "cancelled",
]);

/**
 * SQLSTATEs that no outage explains: a login that is refused, a database that is not there, damage (58), and those that wait
 * in a circle, which we never should.
 */
const LASTING = /^(28|3D|58|40P01$|40001$)/;

function isTrouble(err: unknown): boolean {
  if (!(err instanceof FaultError) || !TROUBLES.has(err.fault.kind)) return false;
  const { code } = (err.cause ?? {}) as { readonly code?: unknown };
  return typeof code !== "string" || !LASTING.test(code);
}

function placeFields(place: FailedPlace): Record<string, unknown> {
  if ("part" in place) return place;
  const { requestId, door, method, span } = place;
  return { request_id: requestId, trace_id: span?.traceId, door, rpc_method: method.name };
}

/**
 * The line of a call as the logger would write it, field by field. It is the one line that there is one of for each call,
 * and the logger, which has to be ready for fields of any kind, takes three times as long for it.
 */
function createCallLines(): (level: string, record: CallRecord) => string {
  let timeMs = Number.NaN;
  let time = "";
  return (level, record) => {
    const nowMs = Date.now();
    if (nowMs !== timeMs) time = new Date(nowMs).toISOString();
    timeMs = nowMs;
    const line = {
      level,
      time,
      service: BASE.service,
      request_id: record.requestId,
      trace_id: record.traceId,
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
      credential_id: record.credentialId,
      client_address: record.clientAddress,
      msg: "call",
    };
    return `${JSON.stringify(line)}\n`;
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
    error_code: cause instanceof FaultError ? faultCode(cause) : word(known.code),
    constraint: word(known.constraint_name),
    routine: word(known.routine),
    frames: framesOf(cause),
  };
}

/** Such a fault has no frames (see FaultError), so it says which one it is. */
const faultCode = ({ fault }: FaultError): string =>
  fault.kind === "unavailable" ? `${fault.kind}.${fault.part}` : fault.kind;

const word = (value: unknown): string | undefined =>
  typeof value === "string" && /^[A-Za-z0-9_.-]{1,80}$/.test(value) ? value : undefined;

function framesOf(err: Error): string[] {
  const lines = (err.stack ?? "").split("\n").map((line) => line.trim());
  return lines.filter((line) => /^at .*:\d+:\d+\)?$/.test(line)).slice(0, 8);
}
