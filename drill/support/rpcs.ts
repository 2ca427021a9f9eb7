import { create, type DescMessage, type DescMethodUnary, type MessageShape } from "@bufbuild/protobuf";
import { AuditService } from "../../gen/keyturn/v1/audit_service_pb.ts";
import { CredentialPolicyService } from "../../gen/keyturn/v1/credential_policy_service_pb.ts";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { TokenService } from "../../gen/keyturn/v1/token_service_pb.ts";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";

const SERVICES = [
  CredentialService,
  ServiceAccountService,
  CredentialPolicyService,
  AuditService,
  VerificationService,
  TokenService,
];

/** Every RPC of the service. */
export const RPCS: readonly DescMethodUnary[] = SERVICES.flatMap(
  ({ methods }) => methods as DescMethodUnary[],
);

const PUBLIC = new Set(["MintToken", "ReportLeakedCredential"]);

/** Those that nobody calls without a token. */
export const GUARDED: readonly DescMethodUnary[] = RPCS.filter(({ name }) => !PUBLIC.has(name));

/** The one that has no path over REST. */
export const hasRest = ({ name }: DescMethodUnary): boolean => name !== "VerifyCredential";

/** A message that names something in each field that stands in a path. */
export function messageWithIds(method: DescMethodUnary): MessageShape<DescMessage> {
  const ids = method.input.fields
    .filter(({ name }) => name === "service_account_id" || name === "id")
    .map(({ localName }) => [localName, "sa-one"]);
  return create(method.input, Object.fromEntries(ids));
}
