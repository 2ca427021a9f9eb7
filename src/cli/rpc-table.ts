import { AuditService } from "../../gen/keyturn/v1/audit_service_pb.ts";
import { CredentialPolicyService } from "../../gen/keyturn/v1/credential_policy_service_pb.ts";
import { CREDENTIAL_COMMANDS } from "./credential-commands.ts";
import type { RpcCommand } from "./rpc-command.ts";
import { DRY_RUN, ETAG } from "./rpc-words.ts";
import { SERVICE_ACCOUNT_COMMANDS } from "./service-account-commands.ts";

/** Every command that is an RPC. A new one is a row here. */
export const RPC_COMMANDS: readonly RpcCommand[] = [
  ...SERVICE_ACCOUNT_COMMANDS,
  ...CREDENTIAL_COMMANDS,
  {
    group: "policy",
    name: "get",
    method: CredentialPolicyService.method.getCredentialPolicy,
    summary: "show the rules by which the organization's credentials are created",
    args: [],
    options: {},
    examples: ["policy get"],
  },
  {
    group: "policy",
    name: "set",
    method: CredentialPolicyService.method.updateCredentialPolicy,
    summary: "change these rules for credentials to come",
    args: [],
    options: {
      default_lifetime: "lifetime of a credential whose creator names no end, such as 90d",
      min_lifetime: "shortest lifetime that may be asked for",
      max_lifetime: "longest lifetime that may be asked for",
      max_active_credentials: "credentials of one service account that may be active at a time",
      creation: "whether credentials may be created and rotated at all",
      ...ETAG,
      ...DRY_RUN,
    },
    examples: [
      "policy set --max-lifetime 180d --validate-only",
      "policy set --default-lifetime 30d --clear max-active-credentials",
    ],
  },
  {
    group: "audit",
    name: "list",
    method: AuditService.method.listAuditEvents,
    summary: "list what administrators did, and were refused",
    args: [],
    options: {
      service_account_id: "only events about the account that has, or had, this id",
      since: "only events from then on",
      until: "only events before",
      order_by: "'occurred_at desc' for the latest first",
    },
    columns: ["occurredAt", "action", "outcome", "serviceAccountId", "credentialId", "actorSubject"],
    examples: [
      "audit list --since 2026-11-01T00:00:00Z --output json",
      "audit list --order-by 'occurred_at desc' --limit 20",
    ],
  },
];
