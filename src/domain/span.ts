/**
 * What may stand in a trace, by the names of OpenTelemetry's conventions. It is a closed list: no parameter, header, body or
 * text of a caller ever becomes one.
 */
export type SpanAttribute =
  | "rpc.system.name"
  | "rpc.method"
  | "rpc.response.status_code"
  | "http.request.method"
  | "http.route"
  | "http.response.status_code"
  | "url.scheme"
  | "server.address"
  | "error.type"
  | "db.system.name"
  | "db.operation.name"
  | "db.stored_procedure.name"
  | "db.collection.name"
  | "keyturn.door"
  | "keyturn.request_id"
  | "keyturn.reason"
  | "keyturn.inner"
  | "keyturn.organization_id"
  | "keyturn.wait_ms"
  | "keyturn.shared";

export type SpanAttributes = Readonly<Partial<Record<SpanAttribute, string | number | boolean>>>;

/** `server` answers somebody, `client` asks somebody, `internal` does neither. */
export type SpanKind = "server" | "client" | "internal";

/** A piece of work as it stands in a trace. */
export interface Span {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** What tells whoever is asked meanwhile below which span his own belongs (W3C Trace Context). */
  readonly traceparent: string;
  rename(name: string): void;
  set(attributes: SpanAttributes): void;
  /** A span below this one. Undefined when nobody keeps it, or this one has ended. */
  child(name: string, kind: SpanKind, attributes?: SpanAttributes): Span | undefined;
  /** Does work in whose course this is the current span. */
  within<T>(work: () => T): T;
  /** @param failure what it failed with, in one word, where that was our fault or that of whoever was asked. */
  end(failure?: string): void;
}

/** The span that the work under way belongs to. */
export type CurrentSpan = () => Span | undefined;
