import type { ServiceName } from "../../src/rpc/services.ts";
import { CREDENTIAL_ROWS } from "./credential-rows.ts";
import type { RowsOf } from "./matrix-row.ts";
import { AUDIT_ROWS, CREDENTIAL_POLICY_ROWS } from "./organization-rows.ts";
import { TOKEN_ROWS, VERIFICATION_ROWS } from "./program-rows.ts";
import { SERVICE_ACCOUNT_ROWS } from "./service-account-rows.ts";

/** The matrix: what every RPC answers every caller. A service or an RPC without its rows does not compile. */
export const ROWS = {
  CredentialService: CREDENTIAL_ROWS,
  ServiceAccountService: SERVICE_ACCOUNT_ROWS,
  CredentialPolicyService: CREDENTIAL_POLICY_ROWS,
  AuditService: AUDIT_ROWS,
  VerificationService: VERIFICATION_ROWS,
  TokenService: TOKEN_ROWS,
} as const satisfies { [S in ServiceName]: RowsOf<S> };
