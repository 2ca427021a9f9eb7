import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import type { CallRecord } from "../../src/observability/call-record.ts";
import { createLog } from "../../src/observability/log.ts";

const RECORD: CallRecord = {
  requestId: "request-1",
  traceId: "0af7651916cd43dd8448eb211c80319c",
  door: "grpc",
  service: "VerificationService",
  method: "VerifyCredential",
  code: "UNAUTHENTICATED",
  reason: "TOKEN_INVALID",
  inner: "expired",
  durationMs: 1.2345678,
  organizationId: 'an "organization"\n\u2028',
  issuer: "https://issuer.example",
  subject: "sa-é😀",
  credentialId: "cred-1",
  clientAddress: undefined,
};

/** What the log writes of a call, and the logger itself of the same fields. */
function linesOf(record: CallRecord): { line: string; loggers: string } {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  createLog("info", destination).called(record);
  const written = JSON.parse(lines[0] ?? "");
  const { level: _, time, service: __, msg, ...fields } = written;
  const options = {
    base: { service: "keyturn" },
    timestamp: () => `,"time":"${time}"`,
    formatters: { level: (name: string) => ({ level: name }) },
  };
  pino(options, destination).info(fields, msg);
  return { line: lines[0] ?? "", loggers: lines[1] ?? "" };
}

test("the line of a call is the one that the logger would write, character for character", () => {
  for (const record of [RECORD, { ...RECORD, reason: "", inner: undefined, clientAddress: "::1" }]) {
    const { line, loggers } = linesOf(record);
    assert.equal(line, loggers);
    assert.match(
      line,
      /^\{"level":"info","time":"\d{4}-\d\d-\d\dT[\d:.]+Z","service":"keyturn","request_id".*\n$/s,
    );
  }
});

test("the line of a call has its allow-listed fields, those that are known", () => {
  const { time: _, ...fields } = JSON.parse(linesOf(RECORD).line);
  assert.deepEqual(fields, {
    level: "info",
    service: "keyturn",
    request_id: "request-1",
    trace_id: "0af7651916cd43dd8448eb211c80319c",
    door: "grpc",
    rpc_service: "VerificationService",
    rpc_method: "VerifyCredential",
    code: "UNAUTHENTICATED",
    reason: "TOKEN_INVALID",
    inner: "expired",
    duration_ms: 1.235,
    organization_id: 'an "organization"\n\u2028',
    issuer: "https://issuer.example",
    subject: "sa-é😀",
    credential_id: "cred-1",
    msg: "call",
  });
});

test("a call that failed on our side is an error, one that was late or met what was away is a warning", () => {
  const levels = [
    ["OK", 12, "info"],
    ["NOT_FOUND", 12, "info"],
    ["RESOURCE_EXHAUSTED", 12, "info"],
    ["INTERNAL", 12, "error"],
    ["UNAVAILABLE", 12, "warn"],
    ["DEADLINE_EXCEEDED", 12, "warn"],
    ["OK", 1_000, "warn"],
    ["NOT_FOUND", 3_000, "warn"],
    ["INTERNAL", 3_000, "error"],
  ] as const;
  for (const [code, durationMs, level] of levels) {
    const { line } = linesOf({ ...RECORD, code, durationMs });
    assert.equal(JSON.parse(line).level, level, `${code} in ${durationMs} ms`);
  }
});

test("a log that is set to warnings has the lines of such calls only", () => {
  const lines: string[] = [];
  const log = createLog("warn", { write: (line) => void lines.push(line) });
  log.called(RECORD);
  assert.deepEqual(lines, []);
  log.called({ ...RECORD, code: "UNAVAILABLE" });
  assert.equal(lines.length, 1);
});
