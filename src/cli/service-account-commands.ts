import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import type { RpcCommand } from "./rpc-command.ts";
import { DRY_RUN, ETAG } from "./rpc-words.ts";

const NAMES = {
  display_name: "words for people, 1-255 characters",
  description: "what it is for, up to 1024 characters",
  roles: "roles that it acts with, separated by commas",
};

export const SERVICE_ACCOUNT_COMMANDS: readonly RpcCommand[] = [
  {
    group: "service-account",
    name: "create",
    method: ServiceAccountService.method.createServiceAccount,
    summary: "create a service account, without a credential yet",
    args: ["id"],
    options: {
      ...NAMES,
      scope: "what its roles reach; default: the whole organization",
      scope_id: "the project, when the scope is one",
      ...DRY_RUN,
    },
    examples: ["service-account create sa-pipeline --display-name 'Pipeline' --roles deployer"],
  },
  {
    group: "service-account",
    name: "list",
    method: ServiceAccountService.method.listServiceAccounts,
    summary: "list the service accounts of the organization, the oldest first",
    args: [],
    options: {
      status: "only those of this status",
      scope: "only those of this scope",
      scope_id: "only those of this organization or project",
    },
    columns: ["id", "displayName", "status", "activeCredentialCount", "roles", "createdAt"],
    examples: ["service-account list", "service-account list --status disabled --output json"],
  },
  {
    group: "service-account",
    name: "get",
    method: ServiceAccountService.method.getServiceAccount,
    summary: "show a service account",
    args: ["id"],
    options: {},
    examples: ["service-account get sa-pipeline-prod"],
  },
  {
    group: "service-account",
    name: "update",
    method: ServiceAccountService.method.updateServiceAccount,
    summary: "change what a service account is called and may do",
    args: ["id"],
    options: { ...NAMES, ...ETAG, ...DRY_RUN },
    examples: [
      "service-account update sa-pipeline-prod --display-name 'Pipeline (production)'",
      "service-account update sa-pipeline-prod --roles deployer,reader --clear description",
    ],
  },
  {
    group: "service-account",
    name: "disable",
    method: ServiceAccountService.method.updateServiceAccount,
    summary: "end the use of all credentials of a service account, until it is enabled",
    args: ["id"],
    options: { ...ETAG, ...DRY_RUN },
    fixed: { status: "SERVICE_ACCOUNT_STATUS_DISABLED" },
    examples: ["service-account disable sa-pipeline-prod"],
  },
  {
    group: "service-account",
    name: "enable",
    method: ServiceAccountService.method.updateServiceAccount,
    summary: "let the credentials of a service account authenticate again",
    args: ["id"],
    options: { ...ETAG, ...DRY_RUN },
    fixed: { status: "SERVICE_ACCOUNT_STATUS_ACTIVE" },
    examples: ["service-account enable sa-pipeline-prod"],
  },
  {
    group: "service-account",
    name: "delete",
    method: ServiceAccountService.method.deleteServiceAccount,
    summary: "delete a service account with all its credentials, at once and for good",
    args: ["id"],
    options: { ...ETAG, ...DRY_RUN },
    confirm: "this deletes the service account with all its credentials, for good",
    examples: [
      "service-account delete sa-pipeline-prod --validate-only",
      "service-account delete sa-pipeline-prod --yes",
    ],
  },
];
