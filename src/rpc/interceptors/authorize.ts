import type { Interceptor } from "@connectrpc/connect";
import { permissionDenied, unauthenticated } from "../../domain/fault.ts";
import { accessOf, hasAny, mayCall, type RoleRules } from "../access.ts";
import type { Call } from "../call.ts";
import { callOf } from "../chain.ts";

/** May this caller call this RPC at all? Asked of the token and the access table, before anything is looked up. */
export const authorize =
  (rules: RoleRules): Interceptor =>
  (next) =>
  (req) => {
    requireAccess(callOf(req), rules);
    return next(req);
  };

/** @throws FaultError unauthenticated, permission_denied. What the caller may besides is noted in the call. */
export function requireAccess(call: Call, rules: RoleRules): void {
  const { may, unseen } = accessOf(call.method);
  if (may === "public") return;
  const { verifiedCaller } = call;
  if (verifiedCaller === undefined) throw unauthenticated("missing");
  if (!mayCall(may, verifiedCaller, rules)) throw permissionDenied(may, unseen);
  if (hasAny(verifiedCaller, rules.platformVerifierRoles)) call.reach = "platform";
  call.grantableRoles = hasAny(verifiedCaller, rules.organizationAdministratorRoles)
    ? "all"
    : verifiedCaller.roles;
}
