import type { Interceptor } from "@connectrpc/connect";
import { bearerToken } from "../../auth/bearer.ts";
import type { CallerOfCertificate } from "../../auth/certificate-callers.ts";
import type { RecallToken } from "../../auth/verify-token.ts";
import type { Caller } from "../../domain/caller.ts";
import type { Span } from "../../domain/span.ts";
import { accessOf } from "../access.ts";
import type { Call } from "../call.ts";
import { callOf } from "../chain.ts";

/** What a caller may be known by. */
export interface CallerSources {
  readonly verifyToken: RecallToken;
  /** Absent: client certificates say nothing of a caller. */
  readonly callerOfCertificate?: CallerOfCertificate | undefined;
}

/** Who calls? Nobody asks where everybody may. Verifies the bearer token (RFC 6750), unless the door has already had it verified for this call. */
export const authenticate =
  (sources: CallerSources): Interceptor =>
  (next) =>
  (req) => {
    const pending = identifyCaller(sources, callOf(req));
    return pending === undefined ? next(req) : pending.then(() => next(req));
  };

/**
 * Verifies the token of a call, once: a door asks before it reads the body, the chain asks again and gets the same
 * answer, also when that was a refusal. A token that is known, as that of a busy caller is, makes nobody wait.
 * @throws FaultError unauthenticated; what is found out later rejects.
 */
export function identifyCaller(sources: CallerSources, call: Call): Promise<void> | undefined {
  if (call.verifiedCaller !== undefined || accessOf(call.method).may === "public") return undefined;
  const span = call.caller === undefined ? call.span?.child("authenticate", "internal") : undefined;
  const caller =
    call.caller ??
    (span === undefined ? callerOf(sources, call) : within(span, () => callerOf(sources, call)));
  if (!(caller instanceof Promise)) {
    call.verifiedCaller = caller;
    return undefined;
  }
  call.caller = caller;
  return caller.then((verified) => {
    call.verifiedCaller = verified;
  });
}

/** It ends with the answer, whatever that is: a token that is refused is no failure of ours. */
function within<T>(span: Span, work: () => T | Promise<T>): T | Promise<T> {
  let isPending = false;
  try {
    const result = span.within(work);
    if (!(result instanceof Promise)) return result;
    isPending = true;
    return result.finally(() => span.end());
  } finally {
    if (!isPending) span.end();
  }
}

/** By the token of the call, and only where there is none by the certificate of its connection (docs/adr/0020). */
function callerOf({ verifyToken, callerOfCertificate }: CallerSources, call: Call): Caller | Promise<Caller> {
  const authorization = call.header("authorization");
  const hasToken = authorization !== undefined && authorization !== "";
  const certificate = hasToken ? undefined : call.clientCertificate?.();
  const caller = certificate && callerOfCertificate?.(certificate);
  return caller ?? verifyToken(bearerToken(authorization), call.signal);
}
