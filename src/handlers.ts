import { randomBytes } from "node:crypto";
import type { AccessTokens } from "./auth/access-token.ts";
import type { Mint } from "./auth/mint.ts";
import { createPageTokens } from "./auth/page-token.ts";
import type { DerivedKeys } from "./auth/root-keys.ts";
import type { CredentialPolicy } from "./domain/policy.ts";
import { auditServiceHandlers } from "./rpc/handlers/audit-service.ts";
import { credentialPolicyServiceHandlers } from "./rpc/handlers/credential-policy-service.ts";
import { credentialServiceHandlers } from "./rpc/handlers/credential-service.ts";
import { serviceAccountServiceHandlers } from "./rpc/handlers/service-account-service.ts";
import { tokenServiceHandlers } from "./rpc/handlers/token-service.ts";
import { verificationServiceHandlers } from "./rpc/handlers/verification-service.ts";
import type { KernelOptions } from "./rpc/kernel.ts";
import type { CheckSecret, RecognizeSecret } from "./service/check-secret.ts";
import { openAuditEvents } from "./storage/audit-events.ts";
import { openCredentialPolicies } from "./storage/credential-policies.ts";
import { openCredentials } from "./storage/credentials.ts";
import type { Database } from "./storage/database.ts";
import { openLeakReports } from "./storage/leak-reports.ts";
import { openServiceAccounts } from "./storage/service-accounts.ts";
import { openTokenStates } from "./storage/token-states.ts";

export interface HandlerParts {
  readonly db: Database;
  readonly mint: Mint;
  readonly keys: DerivedKeys;
  readonly accessTokens: AccessTokens;
  readonly checkSecret: CheckSecret;
  readonly recognizeSecret: RecognizeSecret;
  /** Seconds before its end in which a credential is said to expire soon. */
  readonly expiryWarningSeconds: number;
  /** Roles that verify for every organization, and so are no organization's to grant. */
  readonly platformVerifierRoles: readonly string[];
  /** The server's bounds for what organizations may decide. */
  readonly policy: CredentialPolicy;
}

/** Every verb with what it needs, behind the RPC of its name. */
export function createHandlers(parts: HandlerParts): KernelOptions["handlers"] {
  const { db, mint, keys, policy } = parts;
  const checking = { checkSecret: parts.checkSecret, expiryWarningSeconds: parts.expiryWarningSeconds };
  const pageTokens = createPageTokens(keys.pageToken, randomBytes);
  const credentials = openCredentials(db, policy);
  const replay = { keys: keys.replay, randomBytes };
  return {
    CredentialService: credentialServiceHandlers({ mint, replay, credentials, pageTokens }),
    ServiceAccountService: serviceAccountServiceHandlers({
      serviceAccounts: openServiceAccounts(db),
      reservedRoles: parts.platformVerifierRoles,
      pageTokens,
    }),
    CredentialPolicyService: credentialPolicyServiceHandlers({
      policies: openCredentialPolicies(db, policy),
    }),
    AuditService: auditServiceHandlers({ auditEvents: openAuditEvents(db), pageTokens }),
    VerificationService: verificationServiceHandlers({
      ...checking,
      recognizeSecret: parts.recognizeSecret,
      leakReports: openLeakReports(db),
    }),
    TokenService: tokenServiceHandlers({
      ...checking,
      accessTokens: parts.accessTokens,
      tokens: openTokenStates(db),
    }),
  };
}
