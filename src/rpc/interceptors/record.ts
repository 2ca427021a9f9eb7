import type { Interceptor } from "@connectrpc/connect";
import type { CallRecord } from "../../observability/call-record.ts";
import type { Log } from "../../observability/log.ts";
import type { Metrics } from "../../observability/metrics.ts";
import type { Call } from "../call.ts";
import { closeCallSpan } from "../call-span.ts";
import { callOf } from "../chain.ts";
import { statusOf } from "../errors.ts";
import { codeName } from "../status.ts";

/** One wide log line a call, and its count and duration by door, method and code. Outermost, so that it sees all. */
export const record =
  (log: Log, metrics: Metrics): Interceptor =>
  (next) =>
  async (req) => {
    const call = callOf(req);
    const { span } = call;
    call.answered = true;
    try {
      return await (span === undefined ? next(req) : span.within(() => next(req)));
    } finally {
      call.finish();
      const ended = toRecord(call);
      metrics.called(ended);
      log.called(ended);
      if (span !== undefined) closeCallSpan(span, ended);
    }
  };

function toRecord(call: Call): CallRecord {
  const status = call.fault === undefined ? undefined : statusOf(call.fault);
  return {
    requestId: call.requestId,
    traceId: call.span?.traceId,
    door: call.door,
    service: call.method.parent.name,
    method: call.method.name,
    code: status === undefined ? "OK" : codeName(status.code),
    reason: status?.reason ?? "",
    inner: innerWord(call),
    durationMs: performance.now() - call.startedAt,
    organizationId: call.verifiedCaller?.organizationId,
    issuer: call.verifiedCaller?.issuer,
    subject: call.verifiedCaller?.subject,
    credentialId: call.finding?.credentialId,
    clientAddress: call.clientAddress,
  };
}

function innerWord({ fault, finding }: Call): string | undefined {
  if (fault?.kind === "unauthenticated") return fault.refusal;
  return fault?.kind === "unavailable" ? fault.part : finding?.refusal;
}
