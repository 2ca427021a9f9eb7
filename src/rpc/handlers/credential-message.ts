import type { MessageInitShape } from "@bufbuild/protobuf";
import { type CredentialSchema, CredentialStatus } from "../../../gen/keyturn/v1/credential_pb.ts";
import type { Credential, IssuedCredential } from "../../domain/credential.ts";
import { toTimestamp } from "../instant.ts";

const STATUS: Record<Credential["status"], CredentialStatus> = {
  active: CredentialStatus.ACTIVE,
  pending: CredentialStatus.PENDING,
  expired: CredentialStatus.EXPIRED,
  revoked: CredentialStatus.REVOKED,
};

/** A status that a filter names; undefined for none. */
export const credentialStatusOf = (status: CredentialStatus): Credential["status"] | undefined =>
  (Object.keys(STATUS) as Credential["status"][]).find((word) => STATUS[word] === status);

/** A credential as the wire has it. What is empty in a dry run is left out. */
export function toCredentialMessage(credential: Credential) {
  const { id, uid, serviceAccountId, displayName, notBefore, hint, etag } = credential;
  const { lastUsedAt, lastUsedIp, lastUsedUserAgent, useCount } = credential;
  return {
    ...(id === ""
      ? {}
      : { selfLink: `/v1/iam/service-accounts/${serviceAccountId}/credentials/${id}`, uid, id, hint }),
    ...(etag === "" ? {} : { etag }),
    serviceAccountId,
    status: STATUS[credential.status],
    expiresAt: toTimestamp(credential.expiresAt),
    createdBy: credential.createdBy,
    createdAt: toTimestamp(credential.createdAt),
    ...(lastUsedAt === undefined ? {} : { lastUsedAt: toTimestamp(lastUsedAt) }),
    ...(lastUsedIp === undefined ? {} : { lastUsedIp }),
    ...(displayName === undefined ? {} : { displayName }),
    ...(notBefore === undefined ? {} : { notBefore: toTimestamp(notBefore) }),
    labels: { ...credential.labels },
    allowedCidrs: [...credential.allowedCidrs],
    ...(lastUsedUserAgent === undefined ? {} : { lastUsedUserAgent }),
    ...(useCount === undefined ? {} : { useCount: BigInt(useCount) }),
  } satisfies MessageInitShape<typeof CredentialSchema>;
}

/** The one answer with a secret. Beside it stand the fields of the published page, and no hint and no etag. */
export function toIssuedMessage({ credential, clientSecret }: IssuedCredential) {
  const message = toCredentialMessage(credential);
  if (clientSecret === undefined) return message;
  const { hint: _, etag: __, ...published } = { hint: "", etag: "", ...message };
  return { ...published, clientSecret };
}
