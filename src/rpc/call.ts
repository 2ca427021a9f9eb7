import { randomUUID } from "node:crypto";
import type { DescMethodUnary } from "@bufbuild/protobuf";
import { type ContextKey, createContextKey } from "@connectrpc/connect";
import type { CallContext, GrantableRoles, Reach } from "../domain/call-context.ts";
import type { Caller } from "../domain/caller.ts";
import type { ClientCertificate } from "../domain/client-certificate.ts";
import { type Fault, FaultError } from "../domain/fault.ts";
import type { Finding, TellFinding } from "../domain/presented.ts";
import type { Span } from "../domain/span.ts";

export type Door = "grpc" | "connect" | "rest";

/** One call from its first byte to its answer: what every interceptor and handler may know of it. */
export interface Call {
  readonly method: DescMethodUnary;
  readonly door: Door;
  /** Echoed from the caller when it is a sane one, else a UUID. */
  readonly requestId: string;
  /** Address of the client as the trusted hops tell it, without a port; `undefined` once the peer has gone. */
  readonly clientAddress: string | undefined;
  /** A request header by its lower-case name. */
  readonly header: (name: string) => string | undefined;
  /** The certificate that the client of the connection has shown, when it chains to the client CA of the door. */
  readonly clientCertificate: (() => ClientCertificate | undefined) | undefined;
  /** Aborts with a FaultError: deadline_exceeded or cancelled. */
  readonly signal: AbortSignal;
  /** On the clock of `performance.now()`. */
  readonly startedAt: number;
  readonly deadlineAt: number;
  /** The verification of the bearer token, once it has begun: it is never done twice for one call. */
  caller: Promise<Caller> | undefined;
  /** The caller, once authentication has succeeded. */
  verifiedCaller: Caller | undefined;
  /** What the caller may give to service accounts, once authorization has succeeded: nothing before. */
  grantableRoles: GrantableRoles;
  /** What the caller may ask about, once authorization has succeeded: no more than his own before. */
  reach: Reach;
  /** What the call failed with, once it has. */
  fault: Fault | undefined;
  /** What became of the secret or token that it asks about, once that is known. For the log. */
  finding: Finding | undefined;
  readonly tell: TellFinding;
  /** Absent where no traces are kept. */
  readonly span: Span | undefined;
  /** Whether the chain of interceptors has run. */
  answered: boolean;
  /** Tells the work in flight that nobody waits for it any more. Without effect once the call has finished. */
  abandon(): void;
  /** Stops the clock. To be called when the answer is known. */
  finish(): void;
}

export interface CallOptions {
  readonly method: DescMethodUnary;
  readonly door: Door;
  readonly clientAddress: string | undefined;
  readonly header: (name: string) => string | undefined;
  /** Absent where clients show none. */
  readonly clientCertificate?: (() => ClientCertificate | undefined) | undefined;
  /** Milliseconds that the client gives, if it says. */
  readonly timeoutMs: number | undefined;
  /** Where the door has routes: method, and path with its variables as they are named. */
  readonly route?: { readonly httpMethod: string; readonly template: string } | undefined;
}

export interface DeadlineLimits {
  readonly defaultDeadlineMs: number;
  readonly deadlineMsMax: number;
}

export const callKey: ContextKey<Call | undefined> = createContextKey<Call | undefined>(undefined);

/** What a caller may call his request; anything else is replaced. */
export const SANE_REQUEST_ID = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,127}$/;

export function openCall(options: CallOptions, limits: DeadlineLimits, span?: Span): Call {
  const controller = new AbortController();
  const startedAt = performance.now();
  const budgetMs = Math.min(options.timeoutMs ?? limits.defaultDeadlineMs, limits.deadlineMsMax);
  const deadlineAt = startedAt + shaved(budgetMs);
  const expire = () => controller.abort(new FaultError({ kind: "deadline_exceeded" }));
  const timer = setTimeout(expire, deadlineAt - startedAt);
  let finished = false;
  const call: Call = {
    method: options.method,
    door: options.door,
    requestId: requestIdFrom(options.header("x-request-id")),
    clientAddress: options.clientAddress,
    header: options.header,
    clientCertificate: options.clientCertificate,
    signal: controller.signal,
    startedAt,
    deadlineAt,
    caller: undefined,
    verifiedCaller: undefined,
    grantableRoles: [],
    reach: "organization",
    fault: undefined,
    finding: undefined,
    tell(finding) {
      call.finding = finding;
    },
    span,
    answered: false,
    abandon() {
      if (!finished) controller.abort(new FaultError({ kind: "cancelled" }));
    },
    finish() {
      finished = true;
      clearTimeout(timer);
    },
  };
  return call;
}

/** A little of the time is kept for the answer, so that the caller hears "too late" from us and not from its own clock. */
function shaved(budgetMs: number): number {
  return Math.max(0, budgetMs - Math.min(100, budgetMs * 0.05));
}

/** Whole milliseconds that are left for work. */
export function budgetMsOf(call: Call): number {
  return Math.max(0, Math.floor(call.deadlineAt - performance.now()));
}

/** What a verb needs to know of a call. The chain does not reach handlers without a verified caller. */
export function contextOf(call: Call): CallContext {
  if (call.verifiedCaller === undefined) throw new TypeError("a handler ran before its caller was known");
  return {
    caller: call.verifiedCaller,
    grantableRoles: call.grantableRoles,
    reach: call.reach,
    requestId: call.requestId,
    clientAddress: call.clientAddress,
    budgetMs: () => budgetMsOf(call),
    signal: call.signal,
  };
}

/** How every secret of ours goes on behind its prefix. */
const PART_OF_A_SECRET = "_cs_cred-";

/** The caller's request id when it is a sane one, and no secret that has got into the wrong header; else a new UUID. */
export function requestIdFrom(sent: string | undefined): string {
  const isSane = sent !== undefined && SANE_REQUEST_ID.test(sent) && !sent.includes(PART_OF_A_SECRET);
  return isSane ? sent : randomUUID();
}
