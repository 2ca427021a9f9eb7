import type { MessageInitShape } from "@bufbuild/protobuf";
import { RefusedUseReason, type RefusedUseSchema } from "../../../gen/keyturn/v1/credential_service_pb.ts";
import type { RefusedUse } from "../../domain/credential.ts";
import { toTimestamp } from "../instant.ts";

const REASONS: Readonly<Record<RefusedUse["reason"], RefusedUseReason>> = {
  expired: RefusedUseReason.EXPIRED,
  revoked: RefusedUseReason.REVOKED,
  deleted: RefusedUseReason.DELETED,
  pending: RefusedUseReason.PENDING,
  service_account_disabled: RefusedUseReason.SERVICE_ACCOUNT_DISABLED,
  organization_suspended: RefusedUseReason.ORGANIZATION_SUSPENDED,
  address_not_allowed: RefusedUseReason.ADDRESS_NOT_ALLOWED,
};

export function toRefusedUseMessage(use: RefusedUse): MessageInitShape<typeof RefusedUseSchema> {
  return {
    credentialId: use.credentialId,
    hint: use.hint,
    ...(use.displayName === undefined ? {} : { displayName: use.displayName }),
    lastRefusedAt: toTimestamp(use.lastRefusedAt),
    reason: REASONS[use.reason],
    ...(use.ip === undefined ? {} : { lastRefusedIp: use.ip }),
    ...(use.userAgent === undefined ? {} : { lastRefusedUserAgent: use.userAgent }),
    refusedCount: BigInt(use.count),
  };
}
