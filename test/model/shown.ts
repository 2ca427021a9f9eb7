import type { Heard } from "../support/rpc-callers.ts";
import {
  type AccountState,
  type CredentialState,
  effectivePolicy,
  liveOf,
  type OrganizationState,
  revokedBefore,
  statusOf,
} from "./state.ts";

/** A JSON answer whose instants are numbers, and in which what is absent is not there. */
export type Shown = Readonly<Record<string, unknown>>;

export function shownCredential(
  credential: CredentialState,
  account: AccountState,
  organization: OrganizationState,
  now: number,
): Shown {
  const { id, uid, createdBy, createdAt, expiresAt, notBefore, displayName, labels, hint, lastUsedAt } =
    credential;
  return present({
    selfLink: `/v1/iam/service-accounts/${account.id}/credentials/${id}`,
    uid,
    id,
    serviceAccountId: account.id,
    status: statusOf(credential, account, organization, now),
    expiresAt,
    createdBy,
    createdAt,
    lastUsedAt,
    displayName,
    labels: Object.keys(labels).length === 0 ? undefined : labels,
    notBefore,
    hint,
  });
}

export function shownAccount(
  account: AccountState,
  organization: OrganizationState,
  now: number,
  tenant: string,
): Shown {
  const { id, uid, displayName, description, roles, status, createdBy, createdAt, updatedAt } = account;
  return present({
    selfLink: `/v1/iam/service-accounts/${id}`,
    uid,
    id,
    displayName,
    description,
    clientId: `${id}@${tenant}.iam`,
    scope: "organization",
    scopeId: tenant,
    roles,
    status,
    createdBy,
    createdAt,
    updatedAt,
    activeCredentialCount: liveOf(account, organization, now).length,
    credentialsRevokedBefore: revokedBefore(account, organization),
  });
}

export function shownPolicy(organization: OrganizationState): Shown {
  const policy = effectivePolicy(organization);
  return present({
    selfLink: "/v1/iam/credential-policy",
    defaultLifetime: `${policy.defaultLifetime}s`,
    minLifetime: `${policy.minLifetime}s`,
    maxLifetime: `${policy.maxLifetime}s`,
    maxActiveCredentials: policy.maxActiveCredentials,
    creation: policy.creation,
    updatedAt: organization.policyUpdatedAt,
  });
}

export const present = (members: Shown): Shown =>
  Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));

/** Members that the model does not foretell: what they are good for is looked at by itself. */
const BESIDE = ["etag", "clientSecret", "lastUsedIp", "violations", "violationCount"];
const INSTANT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/;

/** What was heard in the form of the model; a map without members counts as absent, whichever way the door writes it. */
export function shownOf(body: Heard["body"]): unknown {
  if (typeof body === "string" && INSTANT.test(body)) return Date.parse(body);
  if (Array.isArray(body)) return body.map(shownOf);
  if (typeof body !== "object" || body === null) return body;
  const members = Object.entries(body)
    .filter(([name]) => !BESIDE.includes(name))
    .map(([name, value]): [string, unknown] => [name, shownOf(value)]);
  return Object.fromEntries(members.filter(([name, value]) => !(name === "labels" && isEmpty(value))));
}

const isEmpty = (value: unknown): boolean =>
  typeof value === "object" && value !== null && Object.keys(value).length === 0;

/** Every instant in an answer or in the facts of a refusal. */
export function instantsIn(heard: Pick<Heard, "body" | "metadata">): number[] {
  const texts = JSON.stringify([heard.body ?? null, heard.metadata]).match(/"\d{4}-\d\d-\d\dT[^"]*Z"/g) ?? [];
  return texts.map((text) => Date.parse(JSON.parse(text)));
}
