import type { Interceptor } from "@connectrpc/connect";
import { bearerToken } from "../../auth/bearer.ts";
import type { VerifyToken } from "../../auth/verify-token.ts";
import { accessOf } from "../access.ts";
import type { Call } from "../call.ts";
import { callOf } from "../chain.ts";

/** Who calls? Nobody asks where everybody may. Verifies the bearer token (RFC 6750), unless the door has already had it verified for this call. */
export const authenticate =
  (verify: VerifyToken): Interceptor =>
  (next) =>
  async (req) => {
    await identifyCaller(verify, callOf(req));
    return next(req);
  };

/**
 * Verifies the token of a call, once: a door asks before it reads the body, the chain asks again and gets the same
 * answer, also when that was a refusal.
 */
export async function identifyCaller(verify: VerifyToken, call: Call): Promise<void> {
  if (accessOf(call.method).may === "public") return;
  call.caller ??= (async () => verify(bearerToken(call.header("authorization")), call.signal))();
  call.verifiedCaller = await call.caller;
}
