import { CredentialStatus } from "../../gen/keyturn/v1/credential_pb.ts";
import { CredentialCreation } from "../../gen/keyturn/v1/credential_policy_pb.ts";
import { ServiceAccountStatus } from "../../gen/keyturn/v1/service_account_pb.ts";
import type { ServiceName } from "../../src/rpc/services.ts";
import type { Random } from "./random.ts";

/** A call that somebody is going to make. */
export interface Operation {
  readonly service: ServiceName;
  readonly rpc: string;
  // biome-ignore lint/suspicious/noExplicitAny: each RPC has a request of its own
  readonly req: any;
  /** By somebody without an administrator role. */
  readonly isMember?: boolean;
  /** Breaks a rule that needs no look-up. */
  readonly isMalformed?: boolean;
}

/** What callers have learned so far, and so can name. */
export interface Known {
  /** Ids of accounts that may be there. The first two are never deleted. */
  readonly accounts: readonly string[];
  /** Ids of an account's credentials: first those that were deleted or rotated, then the others. */
  credentialIds(accountId: string): readonly string[];
  /** Etags that were read of this resource: the last one, and some that are stale. */
  etags(resource: string): readonly string[];
  /** Request ids that are used again and again, by everybody. */
  readonly requestIds: readonly string[];
  /** By the clock of the database. */
  now(): number;
}

const RPC_WEIGHTS = {
  createCredential: 24,
  rotateCredential: 20,
  deleteCredential: 7,
  listCredentials: 8,
  getCredential: 6,
  getServiceAccount: 6,
  createServiceAccount: 6,
  updateServiceAccount: 6,
  deleteServiceAccount: 3,
  listServiceAccounts: 3,
  revokeAllCredentials: 1.5,
  updateCredentialPolicy: 4,
  getCredentialPolicy: 2,
  listAuditEvents: 1,
};

type RpcWord = keyof typeof RPC_WEIGHTS;

/** Any operation, with whatever may be wrong with it. */
export function nextOperation(random: Random, known: Known): Operation {
  const rpc = random.weighted(RPC_WEIGHTS);
  const operation = { service: SERVICE_OF[rpc], rpc, req: REQUESTS[rpc](random, known) };
  if (random.chance(0.03)) return { ...operation, isMember: true };
  if (!READS.includes(rpc) && random.chance(0.02))
    return { ...operation, req: { ...operation.req, ...MALFORMED }, isMalformed: true };
  return operation;
}

const SERVICE_OF: Readonly<Record<RpcWord, ServiceName>> = {
  createCredential: "CredentialService",
  rotateCredential: "CredentialService",
  deleteCredential: "CredentialService",
  listCredentials: "CredentialService",
  getCredential: "CredentialService",
  revokeAllCredentials: "CredentialService",
  createServiceAccount: "ServiceAccountService",
  updateServiceAccount: "ServiceAccountService",
  deleteServiceAccount: "ServiceAccountService",
  listServiceAccounts: "ServiceAccountService",
  getServiceAccount: "ServiceAccountService",
  getCredentialPolicy: "CredentialPolicyService",
  updateCredentialPolicy: "CredentialPolicyService",
  listAuditEvents: "AuditService",
};

export const READS: readonly string[] = Object.keys(SERVICE_OF).filter((rpc) => /^(get|list)/.test(rpc));

/** Fits no account, no credential and no policy. */
const MALFORMED = { serviceAccountId: "NOT AN ID", id: "NOT AN ID", maxActiveCredentials: 0 };

const REQUESTS: Readonly<Record<RpcWord, (random: Random, known: Known) => object>> = {
  createCredential: (random, known) => ({
    serviceAccountId: anAccount(random, known),
    ...maybe(random, 0.3, () => expiry(random, known)),
    ...maybe(random, 0.1, () => ({ notBefore: at(known.now() + random.pick([-5, 60, 7_200]) * 1000) })),
    ...maybe(random, 0.2, () => ({
      displayName: random.pick(["blue", "green"]),
      labels: { slot: random.pick(["a", "b"]) },
    })),
    ...requestId(random, known),
    ...dry(random),
  }),
  rotateCredential: (random, known) => ({
    ...aCredential(random, known),
    ...maybe(random, 0.45, () => ({ gracePeriod: random.pick(GRACE_PERIODS) })),
    ...maybe(random, 0.1, () => expiry(random, known)),
    ...requestId(random, known),
    ...dry(random),
  }),
  deleteCredential: (random, known) => ({ ...aCredential(random, known), ...dry(random) }),
  listCredentials: (random, known) => ({
    serviceAccountId: anAccount(random, known),
    ...maybe(random, 0.4, () => ({
      status: random.pick([CredentialStatus.ACTIVE, CredentialStatus.EXPIRED, CredentialStatus.REVOKED]),
    })),
    ...maybe(random, 0.2, () => ({ neverUsed: true })),
  }),
  getCredential: (random, known) => {
    const { etag: _, ...named } = aCredential(random, known);
    return named;
  },
  getServiceAccount: (random, known) => ({ id: anAccount(random, known) }),
  createServiceAccount: (random, known) => ({
    id: random.pick(known.accounts),
    displayName: random.pick(["one", "two"]),
    roles: random.pick(ROLES),
    ...dry(random),
  }),
  updateServiceAccount: (random, known) => {
    const id = anAccount(random, known);
    const { ACTIVE, DISABLED } = ServiceAccountStatus;
    const changes = [
      { displayName: random.pick(["one", "two", "three"]) },
      { description: random.pick(["", "what it is for"]) },
      { roles: random.pick(ROLES), updateMask: { paths: ["roles"] } },
      { status: random.pick([ACTIVE, DISABLED]) },
    ];
    return { id, ...random.pick(changes), ...etagOf(random, known, id), ...dry(random) };
  },
  deleteServiceAccount: (random, known) => {
    const id = random.pick([...known.accounts.slice(2), "sa-nowhere"]);
    return { id, ...etagOf(random, known, id), ...dry(random) };
  },
  listServiceAccounts: (random) => maybe(random, 0.3, () => ({ status: ServiceAccountStatus.ACTIVE })),
  revokeAllCredentials: (random, known) =>
    random.chance(0.4)
      ? { serviceAccountId: anAccount(random, known), ...dry(random) }
      : {
          exemptServiceAccountIds: random.pick([
            [],
            [],
            known.accounts.slice(0, 1),
            known.accounts.slice(0, 2),
            ["sa-nowhere"],
          ]),
          ...dry(random),
        },
  updateCredentialPolicy: (random, known) => ({
    ...random.pick(POLICY_CHANGES),
    ...etagOf(random, known, "policy"),
    ...dry(random),
  }),
  getCredentialPolicy: () => ({}),
  listAuditEvents: () => ({ orderBy: "occurred_at desc" }),
};

const seconds = (count: number) => ({ seconds: BigInt(count), nanos: 0 });
const at = (ms: number) => ({
  seconds: BigInt(Math.floor(ms / 1000)),
  nanos: (Math.floor(ms) % 1000) * 1_000_000,
});

/** From some that are over before the next call to some that no credential has left. */
const GRACE_PERIODS = [
  { seconds: 0n, nanos: 5_000_000 },
  { seconds: 0n, nanos: 40_000_000 },
  seconds(60),
  seconds(3_600),
  seconds(400 * 86_400),
];
const ROLES: readonly (readonly string[])[] = [[], ["deploy"], ["billing", "deploy"]];
const { ALLOWED, DENIED } = CredentialCreation;

const POLICY_CHANGES: readonly object[] = [
  { maxActiveCredentials: 5 },
  { maxActiveCredentials: 3 },
  { maxActiveCredentials: 6 },
  { creation: ALLOWED },
  { creation: ALLOWED },
  { creation: ALLOWED },
  { creation: DENIED },
  { maxLifetime: seconds(30 * 86_400) },
  { minLifetime: seconds(1) },
  { minLifetime: seconds(1_800), maxLifetime: seconds(7_200) },
  { defaultLifetime: seconds(3_600) },
  { updateMask: { paths: ["default_lifetime", "min_lifetime", "max_lifetime"] } },
  { updateMask: { paths: ["max_active_credentials", "creation"] } },
];

const anAccount = (random: Random, known: Known): string =>
  random.chance(0.03)
    ? "sa-nowhere"
    : random.pick(random.chance(0.5) ? known.accounts.slice(0, 2) : known.accounts);

/** Most often one that is likely there. */
function aCredential(random: Random, known: Known) {
  const serviceAccountId = anAccount(random, known);
  const ids = known.credentialIds(serviceAccountId);
  const id = random.pick(random.chance(0.85) ? ids.slice(-3) : ids) ?? "cred-nowhere";
  return { serviceAccountId, id, ...etagOf(random, known, id) };
}

function expiry(random: Random, known: Known): object {
  const day = 86_400;
  return {
    expiresAt: at(known.now() + random.pick([-60, 20, 3_000, 10_000, 20 * day, 300 * day, 400 * day]) * 1000),
  };
}

const requestId = (random: Random, known: Known): object =>
  maybe(random, 0.3, () => ({ requestId: random.pick(known.requestIds) }));

const etagOf = (random: Random, known: Known, resource: string): { etag?: string } =>
  maybe(random, 0.25, () => ({ etag: random.pick(known.etags(resource)) ?? "0000000000000000" }));

const dry = (random: Random): object => maybe(random, 0.08, () => ({ validateOnly: true }));

const maybe = <T extends object>(random: Random, probability: number, make: () => T): Partial<T> =>
  random.chance(probability) ? make() : {};
