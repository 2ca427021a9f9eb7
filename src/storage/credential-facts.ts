import type { Credential, CredentialStatus } from "../domain/credential.ts";
import type { Facts } from "./refusal.ts";

/** A credential from what a function or a list says of it (credential_states). */
export function toCredential(facts: Facts): Credential {
  return {
    uid: facts["uid"] ?? "",
    id: facts["id"] ?? "",
    serviceAccountId: facts["service_account_id"],
    status: facts["status"] as CredentialStatus,
    expiresAt: new Date(facts["expires_at"]),
    createdBy: facts["created_by"],
    createdAt: new Date(facts["created_at"]),
    lastUsedAt: optionalInstant(facts["last_used_at"]),
    lastUsedIp: facts["last_used_ip"] ?? undefined,
    displayName: facts["display_name"] ?? undefined,
    labels: facts["labels"] ?? {},
    notBefore: optionalInstant(facts["not_before"]),
    hint: facts["hint"] ?? "",
    etag: facts["etag"] ?? "",
    allowedCidrs: facts["allowed_cidrs"] ?? [],
    lastUsedUserAgent: facts["last_used_user_agent"] ?? undefined,
    useCount: facts["use_count"] ?? undefined,
  };
}

export const optionalInstant = (text: string | null | undefined): Date | undefined =>
  text === null || text === undefined ? undefined : new Date(text);
