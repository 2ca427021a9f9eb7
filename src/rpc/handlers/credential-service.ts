import type { ListCredentialsRequest } from "../../../gen/keyturn/v1/credential_service_pb.ts";
import type { CredentialFilter } from "../../domain/credential.ts";
import { invalidArgument } from "../../domain/fault.ts";
import { type CreateCredentialDeps, createCredential } from "../../service/create-credential.ts";
import { type DeleteCredentialDeps, deleteCredential } from "../../service/delete-credential.ts";
import { type GetCredentialDeps, getCredential } from "../../service/get-credential.ts";
import { type ListCredentialsDeps, listCredentials } from "../../service/list-credentials.ts";
import { type ListRefusedUsesDeps, listRefusedUses } from "../../service/list-refused-uses.ts";
import { type RevokeAllCredentialsDeps, revokeAllCredentials } from "../../service/revoke-all-credentials.ts";
import { type RotateCredentialDeps, rotateCredential } from "../../service/rotate-credential.ts";
import { type Call, contextOf } from "../call.ts";
import { toMilliseconds } from "../duration.ts";
import { toInstant, toTimestamp } from "../instant.ts";
import type { Handlers } from "../kernel.ts";
import { credentialStatusOf, toCredentialMessage, toIssuedMessage } from "./credential-message.ts";
import { pageAsked, pageFields } from "./page-fields.ts";
import { toRefusedUseMessage } from "./refused-use-message.ts";

export type CredentialServiceDeps = CreateCredentialDeps &
  RotateCredentialDeps &
  ListCredentialsDeps &
  GetCredentialDeps &
  DeleteCredentialDeps &
  RevokeAllCredentialsDeps &
  ListRefusedUsesDeps;

/** From wire to verb and back. No rule and no query. */
export const credentialServiceHandlers = (deps: CredentialServiceDeps): Handlers<"CredentialService"> => ({
  createCredential: async (req, call) =>
    toIssuedMessage(
      await createCredential(deps, contextOf(call), {
        serviceAccountId: req.serviceAccountId,
        expiresAt: toInstant(req.expiresAt, "expires_at"),
        notBefore: toInstant(req.notBefore, "not_before"),
        displayName: req.displayName,
        labels: req.labels,
        allowedCidrs: req.allowedCidrs,
        idempotencyKey: idempotencyKey(req.requestId, call),
        validateOnly: req.validateOnly,
      }),
    ),
  listCredentials: async (req, call) => {
    const page = await listCredentials(deps, contextOf(call), {
      ...pageAsked(req),
      serviceAccountId: req.serviceAccountId,
      filter: toFilter(req),
    });
    return { credentials: page.items.map(toCredentialMessage), ...pageFields(page) };
  },
  getCredential: async ({ serviceAccountId, id }, call) =>
    toCredentialMessage(await getCredential(deps, contextOf(call), { serviceAccountId, id })),
  deleteCredential: async ({ serviceAccountId, id, etag, validateOnly }, call) => {
    const target = { serviceAccountId, id, etag: etag || undefined, validateOnly };
    const loss = await deleteCredential(deps, contextOf(call), target);
    return {
      ...(loss.lastUsedAt === undefined ? {} : { lastUsedAt: toTimestamp(loss.lastUsedAt) }),
      remainingActiveCount: loss.remainingActiveCount,
      lastActive: loss.isLastActive,
    };
  },
  rotateCredential: async (req, call) => {
    const issued = await rotateCredential(deps, contextOf(call), {
      serviceAccountId: req.serviceAccountId,
      id: req.id,
      etag: req.etag || undefined,
      gracePeriodMs: req.gracePeriod === undefined ? 0 : toMilliseconds(req.gracePeriod, "grace_period"),
      expiresAt: toInstant(req.expiresAt, "expires_at"),
      idempotencyKey: idempotencyKey(req.requestId, call),
      validateOnly: req.validateOnly,
    });
    const { replaced } = issued;
    return {
      ...toIssuedMessage(issued),
      ...(replaced === undefined ? {} : { replacedCredential: toCredentialMessage(replaced) }),
    };
  },
  revokeAllCredentials: async ({ serviceAccountId, exemptServiceAccountIds, validateOnly }, call) => {
    const asked = { serviceAccountId, exemptServiceAccountIds, validateOnly };
    const { revokedBefore, revokedCredentialCount } = await revokeAllCredentials(
      deps,
      contextOf(call),
      asked,
    );
    return { revokedBefore: toTimestamp(revokedBefore), revokedCredentialCount };
  },
  listRefusedUses: async (req, call) => {
    const { serviceAccountId } = req;
    const page = await listRefusedUses(deps, contextOf(call), { ...pageAsked(req), serviceAccountId });
    return { refusedUses: page.items.map(toRefusedUseMessage), ...pageFields(page) };
  },
});

const toFilter = (req: ListCredentialsRequest): CredentialFilter => ({
  status: credentialStatusOf(req.status),
  expiringBefore: toInstant(req.expiringBefore, "expiring_before"),
  unusedSince: toInstant(req.unusedSince, "unused_since"),
  neverUsed: req.neverUsed,
});

/** The key to a sealed secret must not stand in logs and in the trail, where the request id of the call does. */
function idempotencyKey(requestId: string, call: Call): string | undefined {
  if (requestId === "") return undefined;
  if (requestId.toLowerCase() === call.requestId.toLowerCase())
    throw invalidArgument({ field: "request_id", description: "must not be the X-Request-Id too" });
  return requestId;
}
