import type { Interceptor } from "@connectrpc/connect";
import { bearerToken } from "../../auth/bearer.ts";
import type { RecallToken } from "../../auth/verify-token.ts";
import { accessOf } from "../access.ts";
import type { Call } from "../call.ts";
import { callOf } from "../chain.ts";

/** Who calls? Nobody asks where everybody may. Verifies the bearer token (RFC 6750), unless the door has already had it verified for this call. */
export const authenticate =
  (verify: RecallToken): Interceptor =>
  (next) =>
  (req) => {
    const pending = identifyCaller(verify, callOf(req));
    return pending === undefined ? next(req) : pending.then(() => next(req));
  };

/**
 * Verifies the token of a call, once: a door asks before it reads the body, the chain asks again and gets the same
 * answer, also when that was a refusal. A token that is known, as that of a busy caller is, makes nobody wait.
 * @throws FaultError unauthenticated; what is found out later rejects.
 */
export function identifyCaller(verify: RecallToken, call: Call): Promise<void> | undefined {
  if (call.verifiedCaller !== undefined || accessOf(call.method).may === "public") return undefined;
  const caller = call.caller ?? verify(bearerToken(call.header("authorization")), call.signal);
  if (!(caller instanceof Promise)) {
    call.verifiedCaller = caller;
    return undefined;
  }
  call.caller = caller;
  return caller.then((verified) => {
    call.verifiedCaller = verified;
  });
}
