import type { DescMethod } from "@bufbuild/protobuf";
import type { Caller } from "../domain/caller.ts";
import type { NeededRole, ResourceType } from "../domain/fault.ts";
import type { RpcName, ServiceName } from "./services.ts";

/**
 * Who may call an RPC.
 * - `tenant_administrator`: a verified token with one of the configured administrator roles.
 * - `verifier`: one with a verifier's role, of an organization or of the platform.
 * - `verifier_or_administrator`: either of the two.
 * - `public`: everybody. No token is looked for.
 */
export type Access = NeededRole | "public";

/** Which roles of a token mean what here. */
export interface RoleRules {
  /** Make a tenant administrator. */
  readonly administratorRoles: readonly string[];
  /** Make an administrator of the whole organization, who may grant every role. Others may grant what they hold. */
  readonly organizationAdministratorRoles: readonly string[];
  /** Make a verifier of the secrets and tokens of the caller's own organization. */
  readonly verifierRoles: readonly string[];
  /** Make a verifier of those of all organizations. */
  readonly platformVerifierRoles: readonly string[];
}

export interface AccessRow {
  readonly may: Access;
  /** What a call is named in the audit trail. */
  readonly action: string;
  /** Whether it changes something: then the trail has all of its refusals, and else those for want of the right only. */
  readonly changes: boolean;
  /** What a caller without the right must not learn of: he is told that there is none. Else he is told of the right. */
  readonly unseen?: ResourceType;
}

const read = (action: string, unseen?: ResourceType): AccessRow => ({
  ...row("tenant_administrator", action),
  ...(unseen === undefined ? {} : { unseen }),
});

const change = (action: string, unseen?: ResourceType): AccessRow => ({
  ...read(action, unseen),
  changes: true,
});

function row(may: Access, action: string): AccessRow {
  return { may, action, changes: false };
}

/** One row an RPC. It does not compile with a row missing or left over. */
export const ACCESS = {
  CredentialService: {
    createCredential: change("credential.create"),
    listCredentials: read("credential.list"),
    getCredential: read("credential.get", "Credential"),
    deleteCredential: change("credential.delete", "Credential"),
    rotateCredential: change("credential.rotate"),
    revokeAllCredentials: change("credential.revoke_all"),
    listRefusedUses: read("credential.list_refused_uses"),
  },
  ServiceAccountService: {
    createServiceAccount: change("service_account.create"),
    listServiceAccounts: read("service_account.list"),
    getServiceAccount: read("service_account.get", "ServiceAccount"),
    updateServiceAccount: change("service_account.update", "ServiceAccount"),
    deleteServiceAccount: change("service_account.delete", "ServiceAccount"),
  },
  CredentialPolicyService: {
    getCredentialPolicy: read("credential_policy.get"),
    updateCredentialPolicy: change("credential_policy.update"),
  },
  AuditService: {
    listAuditEvents: read("audit_event.list"),
  },
  VerificationService: {
    verifyCredential: row("verifier", "credential.verify"),
    reportLeakedCredential: { ...row("public", "credential.report_leak"), changes: true },
  },
  TokenService: {
    mintToken: row("public", "token.mint"),
    introspectToken: row("verifier_or_administrator", "token.introspect"),
    revokeToken: { ...row("verifier_or_administrator", "token.revoke"), changes: true },
  },
} as const satisfies { [S in ServiceName]: Record<RpcName<S>, AccessRow> };

/** @throws TypeError when the method is none of ours: a defect, for the doors offer nothing else. */
export function accessOf(method: DescMethod): AccessRow {
  const rows: Record<string, Record<string, AccessRow>> = ACCESS;
  const access = rows[method.parent.name]?.[method.localName];
  if (access === undefined) throw new TypeError(`no access row for ${method.parent.typeName}/${method.name}`);
  return access;
}

/** Decides from the token alone, before anything is looked up, so that a refusal says nothing about what exists. */
export function mayCall(may: NeededRole, caller: Caller, rules: RoleRules): boolean {
  switch (may) {
    case "tenant_administrator":
      return hasAny(caller, rules.administratorRoles);
    case "verifier":
      return isVerifier(caller, rules);
    case "verifier_or_administrator":
      return isVerifier(caller, rules) || hasAny(caller, rules.administratorRoles);
  }
}

const isVerifier = (caller: Caller, { verifierRoles, platformVerifierRoles }: RoleRules): boolean =>
  hasAny(caller, verifierRoles) || hasAny(caller, platformVerifierRoles);

export const hasAny = (caller: Caller, roles: readonly string[]): boolean =>
  caller.roles.some((role) => roles.includes(role));
