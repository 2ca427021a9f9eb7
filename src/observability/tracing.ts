import { AsyncLocalStorage } from "node:async_hooks";
import type { CurrentSpan, Span, SpanAttributes, SpanKind } from "../domain/span.ts";
import { loadOpenTelemetry } from "./opentelemetry.ts";
import { parseTraceparent, traceparentOf } from "./trace-context.ts";
import type { TracingSettings } from "./tracing-settings.ts";

/** Traces, where they are configured; where they are not there is none of this. */
export interface Tracing {
  /** Begins the span of a call: below that of the caller, when he says which it is. */
  openCall(name: string, attributes: SpanAttributes, traceparent: string | undefined): Span;
  readonly currentSpan: CurrentSpan;
  /** As `fetch`, with a span, which the server that is asked is told of. */
  traced(fetch: typeof globalThis.fetch): typeof globalThis.fetch;
  /** Sends what is left, for as long as `timeoutMs`. */
  close(timeoutMs: number): Promise<void>;
}

export interface TracingDeps {
  /** Of the package. */
  readonly version: string;
  /** Told of spans that were sent, or could not be. */
  readonly onSent: (spans: number, isSuccess: boolean) => void;
}

interface OpenSpan extends Span {
  isEnded(): boolean;
}

/** Loads the SDK of OpenTelemetry, which nothing else does (docs/adr/0019). */
export function openTracing(settings: TracingSettings, deps: TracingDeps): Tracing {
  const { tracer, contextOf, kinds, ERROR, shutdown } = loadOpenTelemetry(
    settings,
    deps.version,
    deps.onSent,
  );
  const current = new AsyncLocalStorage<OpenSpan>();
  // A timer that was set in the course of a call outlives it, and belongs to it no longer.
  const currentSpan = () => {
    const span = current.getStore();
    return span?.isEnded() === true ? undefined : span;
  };

  type SdkSpan = ReturnType<typeof tracer.startSpan>;
  type Parent = Parameters<typeof contextOf>[0];

  function begin(name: string, kind: SpanKind, attributes: SpanAttributes, parent: Parent): OpenSpan {
    return wrap(tracer.startSpan(name, { kind: kinds[kind], attributes }, contextOf(parent)));
  }

  function wrap(sdk: SdkSpan): OpenSpan {
    const context = sdk.spanContext();
    const { traceId, spanId, traceFlags } = context;
    let ended = false;
    const span: OpenSpan = {
      traceId,
      isEnded: () => ended,
      traceparent: traceparentOf({ traceId, spanId, isSampled: (traceFlags & 1) === 1 }),
      rename: (name) => void sdk.updateName(name),
      set: (attributes) => void sdk.setAttributes(attributes),
      child: (name, kind, attributes = {}) =>
        sdk.isRecording() ? begin(name, kind, attributes, context) : undefined,
      within: (work) => current.run(span, work),
      end(failure) {
        if (failure !== undefined) sdk.setAttribute("error.type", failure).setStatus({ code: ERROR });
        sdk.end();
        ended = true;
      },
    };
    return span;
  }

  return {
    currentSpan,
    openCall(name, attributes, traceparent) {
      const remote = parseTraceparent(traceparent);
      return begin(
        name,
        "server",
        attributes,
        remote && { ...remote, traceFlags: Number(remote.isSampled), isRemote: true },
      );
    },
    traced: (fetch) => async (input, init) => {
      const { hostname, protocol } = new URL(input instanceof Request ? input.url : input);
      const name = init?.method ?? "GET";
      const attributes: SpanAttributes = {
        "http.request.method": name,
        "server.address": hostname,
        "url.scheme": protocol.slice(0, -1),
      };
      const above = currentSpan();
      const span =
        above === undefined
          ? begin(name, "client", attributes, undefined)
          : above.child(name, "client", attributes);
      const headers = new Headers(init?.headers);
      const { traceparent } = span ?? above ?? {};
      if (traceparent !== undefined) headers.set("traceparent", traceparent);
      try {
        const res = await fetch(input, { ...init, headers });
        span?.set({ "http.response.status_code": res.status });
        span?.end(res.ok ? undefined : String(res.status));
        return res;
      } catch (err) {
        span?.end("unreachable");
        throw err;
      }
    },
    close: shutdown,
  };
}
