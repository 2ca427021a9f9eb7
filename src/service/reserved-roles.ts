import { FaultError } from "../domain/fault.ts";

export interface ReservedRolesDeps {
  /** Roles that reach beyond an organization. Whoever administers one organization must not hand them out. */
  readonly reservedRoles: readonly string[];
}

/** @throws FaultError role_not_grantable, which the database has not recorded, for roles that nobody may grant. */
export function requireUnreserved({ reservedRoles }: ReservedRolesDeps, asked: readonly string[]): void {
  const roles = [...new Set(asked)].filter((role) => reservedRoles.includes(role));
  if (roles.length > 0) throw new FaultError({ kind: "role_not_grantable", roles });
}
