import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type ServiceAccountSchema,
  ServiceAccountScope,
  ServiceAccountStatus,
} from "../../../gen/keyturn/v1/service_account_pb.ts";
import type { UpdateServiceAccountRequest } from "../../../gen/keyturn/v1/service_account_service_pb.ts";
import { invalidArgument } from "../../domain/fault.ts";
import type { ServiceAccount, ServiceAccountChanges } from "../../domain/service-account.ts";
import { type CreateServiceAccountDeps, createServiceAccount } from "../../service/create-service-account.ts";
import { type DeleteServiceAccountDeps, deleteServiceAccount } from "../../service/delete-service-account.ts";
import { type GetServiceAccountDeps, getServiceAccount } from "../../service/get-service-account.ts";
import { type ListServiceAccountsDeps, listServiceAccounts } from "../../service/list-service-accounts.ts";
import { type UpdateServiceAccountDeps, updateServiceAccount } from "../../service/update-service-account.ts";
import { contextOf } from "../call.ts";
import { toTimestamp } from "../instant.ts";
import type { Handlers } from "../kernel.ts";
import { changedFields } from "../update-mask.ts";
import { pageAsked, pageFields } from "./page-fields.ts";

export type ServiceAccountServiceDeps = CreateServiceAccountDeps &
  ListServiceAccountsDeps &
  GetServiceAccountDeps &
  UpdateServiceAccountDeps &
  DeleteServiceAccountDeps;

/** From wire to verb and back. No rule and no query. */
export const serviceAccountServiceHandlers = (
  deps: ServiceAccountServiceDeps,
): Handlers<"ServiceAccountService"> => ({
  createServiceAccount: async (req, call) =>
    toMessage(
      await createServiceAccount(deps, contextOf(call), {
        id: req.id,
        displayName: req.displayName,
        description: req.description || undefined,
        scope: SCOPE_WORDS[req.scope],
        scopeId: req.scopeId || undefined,
        roles: req.roles,
        validateOnly: req.validateOnly,
      }),
    ),
  listServiceAccounts: async (req, call) => {
    const page = await listServiceAccounts(deps, contextOf(call), {
      ...pageAsked(req),
      filter: {
        scope: SCOPE_WORDS[req.scope],
        scopeId: req.scopeId || undefined,
        status: STATUS_WORDS[req.status],
      },
    });
    return { serviceAccounts: page.items.map(toMessage), ...pageFields(page) };
  },
  getServiceAccount: async (req, call) => toMessage(await getServiceAccount(deps, contextOf(call), req.id)),
  updateServiceAccount: async (req, call) => {
    const { id: serviceAccountId, etag, validateOnly } = req;
    const target = { serviceAccountId, etag: etag || undefined, validateOnly, changes: toChanges(req) };
    return toMessage(await updateServiceAccount(deps, contextOf(call), target));
  },
  deleteServiceAccount: async ({ id: serviceAccountId, etag, validateOnly }, call) => {
    const target = { serviceAccountId, etag: etag || undefined, validateOnly };
    const { lastUsedAt, activeCredentialCount } = await deleteServiceAccount(deps, contextOf(call), target);
    return {
      ...(lastUsedAt === undefined ? {} : { lastUsedAt: toTimestamp(lastUsedAt) }),
      activeCredentialCount,
    };
  },
});

const SCOPE_WORDS: Readonly<Record<ServiceAccountScope, ServiceAccount["scope"] | undefined>> = {
  [ServiceAccountScope.UNSPECIFIED]: undefined,
  [ServiceAccountScope.ORGANIZATION]: "organization",
  [ServiceAccountScope.PROJECT]: "project",
};

const STATUS_WORDS: Readonly<Record<ServiceAccountStatus, ServiceAccount["status"] | undefined>> = {
  [ServiceAccountStatus.UNSPECIFIED]: undefined,
  [ServiceAccountStatus.ACTIVE]: "active",
  [ServiceAccountStatus.DISABLED]: "disabled",
};

const SCOPES: Readonly<Record<ServiceAccount["scope"], ServiceAccountScope>> = {
  organization: ServiceAccountScope.ORGANIZATION,
  project: ServiceAccountScope.PROJECT,
};

const STATUSES: Readonly<Record<ServiceAccount["status"], ServiceAccountStatus>> = {
  active: ServiceAccountStatus.ACTIVE,
  disabled: ServiceAccountStatus.DISABLED,
};

/** What the request changes. Only a description and roles can be taken away. */
function toChanges(req: UpdateServiceAccountRequest): ServiceAccountChanges {
  const changed = changedFields(req.updateMask, {
    display_name: req.displayName !== undefined,
    description: req.description !== undefined,
    roles: req.roles.length > 0,
    status: req.status !== ServiceAccountStatus.UNSPECIFIED,
  });
  const status = STATUS_WORDS[req.status];
  return {
    ...(changed.has("display_name") ? { displayName: req.displayName ?? refuseEmpty("display_name") } : {}),
    ...(changed.has("description") ? { description: req.description || null } : {}),
    ...(changed.has("roles") ? { roles: req.roles } : {}),
    ...(changed.has("status") ? { status: status ?? refuseEmpty("status") } : {}),
  };
}

function refuseEmpty(field: string): never {
  throw invalidArgument({ field, description: "stands in the update mask and must be set" });
}

/** A service account as the wire has it. What is empty in a dry run is left out. */
function toMessage(account: ServiceAccount): MessageInitShape<typeof ServiceAccountSchema> {
  const { description, credentialsRevokedBefore, uid, etag } = account;
  return {
    ...(uid === "" ? {} : { selfLink: `/v1/iam/service-accounts/${account.id}`, uid, etag }),
    id: account.id,
    displayName: account.displayName,
    ...(description === undefined ? {} : { description }),
    clientId: account.clientId,
    scope: SCOPES[account.scope],
    scopeId: account.scopeId,
    roles: [...account.roles],
    status: STATUSES[account.status],
    createdBy: account.createdBy,
    createdAt: toTimestamp(account.createdAt),
    updatedAt: toTimestamp(account.updatedAt),
    activeCredentialCount: account.activeCredentialCount,
    ...(credentialsRevokedBefore === undefined
      ? {}
      : { credentialsRevokedBefore: toTimestamp(credentialsRevokedBefore) }),
  };
}
