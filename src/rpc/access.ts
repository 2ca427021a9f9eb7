import type { DescMethod } from "@bufbuild/protobuf";
import type { Caller } from "../domain/caller.ts";
import type { RpcName, ServiceName } from "./services.ts";

/**
 * Who may call an RPC.
 * - `tenant_administrator`: a verified token with one of the configured administrator roles.
 */
export type Access = "tenant_administrator";

/** One row an RPC. It does not compile with a row missing or left over. */
export const ACCESS = {
  CredentialService: {
    createCredential: "tenant_administrator",
  },
} as const satisfies { [S in ServiceName]: Record<RpcName<S>, Access> };

/** @throws TypeError when the method is none of ours: a defect, for the doors offer nothing else. */
export function accessOf(method: DescMethod): Access {
  const rows: Record<string, Record<string, Access>> = ACCESS;
  const access = rows[method.parent.name]?.[method.localName];
  if (access === undefined) throw new TypeError(`no access row for ${method.parent.typeName}/${method.name}`);
  return access;
}

/** Decides from the token alone, before anything is looked up, so that a refusal says nothing about what exists. */
export function mayCall(access: Access, caller: Caller, administratorRoles: readonly string[]): boolean {
  switch (access) {
    case "tenant_administrator":
      return caller.roles.some((role) => administratorRoles.includes(role));
  }
}
