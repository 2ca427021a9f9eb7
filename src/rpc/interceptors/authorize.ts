import type { Interceptor } from "@connectrpc/connect";
import { permissionDenied, unauthenticated } from "../../domain/fault.ts";
import { accessOf, mayCall } from "../access.ts";
import type { Call } from "../call.ts";
import { callOf } from "../chain.ts";

/** May this caller call this RPC at all? Asked of the token and the access table, before anything is looked up. */
export const authorize =
  (administratorRoles: readonly string[]): Interceptor =>
  (next) =>
  async (req) => {
    requireAccess(callOf(req), administratorRoles);
    return next(req);
  };

export function requireAccess(call: Call, administratorRoles: readonly string[]): void {
  if (call.verifiedCaller === undefined) throw unauthenticated("missing");
  if (!mayCall(accessOf(call.method), call.verifiedCaller, administratorRoles)) throw permissionDenied();
}
