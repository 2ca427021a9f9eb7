import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import type { RpcCommand } from "./rpc-command.ts";
import { DRY_RUN, ETAG, REPEATABLE } from "./rpc-words.ts";

const ACCOUNT = ["service_account_id"];
const CREDENTIAL = ["service_account_id", "id"];

export const CREDENTIAL_COMMANDS: readonly RpcCommand[] = [
  {
    group: "credential",
    name: "create",
    method: CredentialService.method.createCredential,
    summary: "issue a client secret for a service account; it is shown once",
    args: ACCOUNT,
    options: {
      expires_at: "when it expires; default: the organization's default lifetime from now",
      not_before: "when it begins to hold; default: at once",
      display_name: "words that tell it from the others, 1-255 characters",
      labels: "labels as key=value, separated by commas",
      allowed_cidrs: "ranges of addresses from which it is accepted, separated by commas",
      ...REPEATABLE,
      ...DRY_RUN,
    },
    issues: true,
    examples: [
      "credential create sa-pipeline-prod --secret-file secret",
      "credential create sa-pipeline-prod --expires-at 2027-01-31T00:00:00Z --show-secret",
    ],
  },
  {
    group: "credential",
    name: "list",
    method: CredentialService.method.listCredentials,
    summary: "list the credentials of a service account, the oldest first",
    args: ACCOUNT,
    options: {
      status: "only those of this status",
      expiring_before: "only those that expire before",
      unused_since: "only those that were not used from then on",
      never_used: "only those that were never used",
    },
    columns: ["id", "hint", "displayName", "status", "expiresAt", "lastUsedAt", "createdAt"],
    examples: [
      "credential list sa-pipeline-prod",
      "credential list sa-pipeline-prod --status active --unused-since 2026-10-01T00:00:00Z",
    ],
  },
  {
    group: "credential",
    name: "get",
    method: CredentialService.method.getCredential,
    summary: "show a credential, without its secret",
    args: CREDENTIAL,
    options: {},
    examples: ["credential get sa-pipeline-prod cred-15pgxvyrg07jgyp96cqc"],
  },
  {
    group: "credential",
    name: "rotate",
    method: CredentialService.method.rotateCredential,
    summary: "issue the next secret in the place of one, which holds for a grace period more",
    args: CREDENTIAL,
    options: {
      grace_period: "how long the old secret still holds, such as 24h; default: not at all",
      expires_at: "when the new one expires; default: the organization's default lifetime from now",
      ...REPEATABLE,
      ...ETAG,
      ...DRY_RUN,
    },
    issues: true,
    examples: [
      "credential rotate sa-pipeline-prod cred-15pgxvyrg07jgyp96cqc --grace-period 24h --secret-file secret",
    ],
  },
  {
    group: "credential",
    name: "delete",
    method: CredentialService.method.deleteCredential,
    summary: "delete a credential: its secret is refused from the very next check on",
    args: CREDENTIAL,
    options: { ...ETAG, ...DRY_RUN },
    examples: [
      "credential delete sa-pipeline-prod cred-15pgxvyrg07jgyp96cqc --validate-only",
      "credential delete sa-pipeline-prod cred-15pgxvyrg07jgyp96cqc",
    ],
  },
  {
    group: "credential",
    name: "verify",
    method: VerificationService.method.verifyCredential,
    summary: "say whose secret it is that comes in, as a verifier",
    args: [],
    options: {
      client_id: "client id that was presented with it",
      source_ip: "address that presented it",
      user_agent: "user agent that presented it",
    },
    verifies: true,
    examples: ["credential verify < secret", "credential verify --secret-file secret --output json"],
  },
  {
    group: "credential",
    name: "report-leak",
    method: VerificationService.method.reportLeakedCredential,
    summary: "turn in a secret that was found where it should not be: it is revoked for good",
    args: [],
    options: {},
    isPublic: true,
    examples: ["credential report-leak < secret"],
  },
  {
    group: "credential",
    name: "refused-uses",
    method: CredentialService.method.listRefusedUses,
    summary: "list the credentials whose right secret was refused: who still has it",
    args: ACCOUNT,
    options: {},
    columns: ["credentialId", "hint", "displayName", "reason", "lastRefusedAt", "lastRefusedIp"],
    examples: ["credential refused-uses sa-pipeline-prod"],
  },
  {
    group: "credential",
    name: "revoke-all",
    method: CredentialService.method.revokeAllCredentials,
    summary: "revoke every credential that exists now, of one service account or of the whole organization",
    args: [],
    options: {
      service_account_id: "the service account; default: all of the organization's",
      exempt_service_account_ids: "service accounts that keep theirs, separated by commas",
      ...DRY_RUN,
    },
    confirm: "this revokes credentials for good",
    examples: [
      "credential revoke-all --service-account-id sa-pipeline-prod --yes",
      "credential revoke-all --exempt-service-account-ids sa-reporting --validate-only",
    ],
  },
];
