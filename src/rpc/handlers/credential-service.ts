import type { MessageInitShape } from "@bufbuild/protobuf";
import { CredentialStatus } from "../../../gen/keyturn/v1/credential_pb.ts";
import type { CreateCredentialResponseSchema } from "../../../gen/keyturn/v1/credential_service_pb.ts";
import type { Credential, IssuedCredential } from "../../domain/credential.ts";
import { type CreateCredentialDeps, createCredential } from "../../service/create-credential.ts";
import { budgetMsOf, callerOf } from "../call.ts";
import { toInstant, toTimestamp } from "../instant.ts";
import type { Handlers } from "../kernel.ts";

/** From wire to verb and back. No rule and no query. */
export const credentialServiceHandlers = (deps: CreateCredentialDeps): Handlers<"CredentialService"> => ({
  createCredential: async (req, call) =>
    toCreateCredentialResponse(
      await createCredential(deps, callerOf(call), {
        serviceAccountId: req.serviceAccountId,
        expiresAt: toInstant(req.expiresAt, "expires_at"),
        requestId: call.requestId,
        clientAddress: call.clientAddress,
        budgetMs: () => budgetMsOf(call),
        signal: call.signal,
      }),
    ),
});

const STATUS: Record<Credential["status"], CredentialStatus> = {
  active: CredentialStatus.ACTIVE,
  expired: CredentialStatus.EXPIRED,
};

function toCreateCredentialResponse({
  credential,
  clientSecret,
}: IssuedCredential): MessageInitShape<typeof CreateCredentialResponseSchema> {
  return {
    selfLink: `/v1/iam/service-accounts/${credential.serviceAccountId}/credentials/${credential.id}`,
    uid: credential.uid,
    id: credential.id,
    serviceAccountId: credential.serviceAccountId,
    status: STATUS[credential.status],
    expiresAt: toTimestamp(credential.expiresAt),
    createdBy: credential.createdBy,
    createdAt: toTimestamp(credential.createdAt),
    clientSecret,
  };
}
