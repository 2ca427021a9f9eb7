import type { Span, SpanAttributes } from "../domain/span.ts";
import type { CallRecord } from "../observability/call-record.ts";
import type { Tracing } from "../observability/tracing.ts";
import type { CallOptions } from "./call.ts";

/** Begins the span of a call, named and described as OpenTelemetry's conventions for RPC and HTTP servers have it. */
export function openCallSpan(tracing: Tracing, { method, door, route, header }: CallOptions): Span {
  const rpcMethod = `${method.parent.typeName}/${method.name}`;
  const attributes: SpanAttributes = {
    "rpc.method": rpcMethod,
    "keyturn.door": door,
    ...(door === "rest" ? {} : { "rpc.system.name": door === "grpc" ? "grpc" : "connectrpc" }),
    ...(route && { "http.request.method": route.httpMethod, "http.route": route.template }),
  };
  const name = route === undefined ? rpcMethod : `${route.httpMethod} ${route.template}`;
  return tracing.openCall(name, attributes, header("traceparent"));
}

/** Codes that are an error of the server, and not of its client. */
const OUR_FAILURES: ReadonlySet<string> = new Set([
  "UNKNOWN",
  "DEADLINE_EXCEEDED",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
]);

/** Says how a call has ended. The HTTP door ends its spans itself, as only it knows the status. */
export function closeCallSpan(span: Span, record: CallRecord): void {
  const { door, code, reason, inner, requestId, organizationId } = record;
  span.set({
    "keyturn.request_id": requestId,
    ...(door === "rest" ? {} : { "rpc.response.status_code": code }),
    ...(reason === "" ? {} : { "keyturn.reason": reason }),
    ...(inner === undefined ? {} : { "keyturn.inner": inner }),
    ...(organizationId === undefined ? {} : { "keyturn.organization_id": organizationId }),
  });
  if (door === "grpc") span.end(OUR_FAILURES.has(code) ? code : undefined);
}
