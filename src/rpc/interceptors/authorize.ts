import type { Interceptor } from "@connectrpc/connect";
import { permissionDenied, unauthenticated } from "../../domain/fault.ts";
import { accessOf, hasAny, mayCall } from "../access.ts";
import type { Call } from "../call.ts";
import { callOf } from "../chain.ts";

/** Which roles of a token mean what here. */
export interface RoleRules {
  /** Make a tenant administrator. */
  readonly administratorRoles: readonly string[];
  /** Make an administrator of the whole organization, who may grant every role. Others may grant what they hold. */
  readonly organizationAdministratorRoles: readonly string[];
}

/** May this caller call this RPC at all? Asked of the token and the access table, before anything is looked up. */
export const authorize =
  (rules: RoleRules): Interceptor =>
  (next) =>
  async (req) => {
    requireAccess(callOf(req), rules);
    return next(req);
  };

export function requireAccess(call: Call, rules: RoleRules): void {
  const { verifiedCaller } = call;
  if (verifiedCaller === undefined) throw unauthenticated("missing");
  const { may, unseen } = accessOf(call.method);
  if (!mayCall(may, verifiedCaller, rules.administratorRoles)) throw permissionDenied(unseen);
  call.grantableRoles = hasAny(verifiedCaller, rules.organizationAdministratorRoles)
    ? "all"
    : verifiedCaller.roles;
}
