import { AuditService } from "../../gen/keyturn/v1/audit_service_pb.ts";
import { CredentialPolicyService } from "../../gen/keyturn/v1/credential_policy_service_pb.ts";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { TokenService } from "../../gen/keyturn/v1/token_service_pb.ts";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";

/** Every service that the doors offer. A new one needs a line here, rows in `access.ts` and handlers, or nothing compiles. */
export const SERVICES = {
  CredentialService,
  ServiceAccountService,
  CredentialPolicyService,
  AuditService,
  VerificationService,
  TokenService,
} as const;

export type ServiceName = keyof typeof SERVICES;

/** The RPCs of a service by the names that the generated code gives them: `createCredential`. */
export type RpcName<S extends ServiceName> = keyof (typeof SERVICES)[S]["method"] & string;
