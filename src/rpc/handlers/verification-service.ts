import { ServiceAccountScope } from "../../../gen/keyturn/v1/service_account_pb.ts";
import { clientIdOf, type Principal } from "../../domain/principal.ts";
import {
  type ReportLeakedCredentialDeps,
  reportLeakedCredential,
} from "../../service/report-leaked-credential.ts";
import {
  type VerifiedCredential,
  type VerifyCredentialDeps,
  verifyCredential,
} from "../../service/verify-credential.ts";
import { budgetMsOf, contextOf } from "../call.ts";
import { toTimestamp } from "../instant.ts";
import type { Handlers } from "../kernel.ts";

export type VerificationServiceDeps = VerifyCredentialDeps & ReportLeakedCredentialDeps;

/** From wire to verb and back. No rule and no query. */
export const verificationServiceHandlers = (
  deps: VerificationServiceDeps,
): Handlers<"VerificationService"> => ({
  verifyCredential: async (req, call) => {
    const verified = await verifyCredential(deps, contextOf(call), {
      clientSecret: req.clientSecret,
      clientId: req.clientId || undefined,
      sourceIp: req.sourceIp || undefined,
      userAgent: req.userAgent || undefined,
      tell: call.tell,
    });
    return verified === undefined
      ? { result: { case: "refusal", value: {} } }
      : { result: { case: "principal", value: toMessage(verified) } };
  },
  reportLeakedCredential: async ({ clientSecret }, call) => {
    const { clientAddress: address, requestId, tell } = call;
    const report = { clientSecret, address, requestId, budgetMs: () => budgetMsOf(call), tell };
    await reportLeakedCredential(deps, report, call.signal);
    return { received: true };
  },
});

const SCOPES: Readonly<Record<Principal["scope"], ServiceAccountScope>> = {
  organization: ServiceAccountScope.ORGANIZATION,
  project: ServiceAccountScope.PROJECT,
};

function toMessage({ principal, expiresSoon }: VerifiedCredential) {
  return {
    organizationId: principal.organizationId,
    serviceAccountId: principal.serviceAccountId,
    serviceAccountUid: principal.serviceAccountUid,
    clientId: clientIdOf(principal),
    credentialId: principal.credentialId,
    scope: SCOPES[principal.scope],
    scopeId: principal.scopeId,
    roles: [...principal.roles],
    expiresAt: toTimestamp(principal.expiresAt),
    expiresSoon,
  };
}
