import { shownPolicy } from "./shown.ts";
import { msOf, refusal, type Verdict } from "./situation.ts";
import { BOUNDS, effectivePolicy, latest, type OrganizationState, type PolicyValues } from "./state.ts";

/** Everything that decides what becomes of a call about the whole organization. */
export interface OrganizationSituation {
  readonly rpc: string;
  // biome-ignore lint/suspicious/noExplicitAny: each RPC has a request of its own
  readonly req: any;
  readonly organization: OrganizationState;
  readonly now: number;
  readonly etagFits: boolean;
  /** The instant that a revocation named. */
  readonly revokedBefore: number | undefined;
  /** How many credentials it said that it revoked: no lock keeps them from changing meanwhile, so it is judged apart. */
  readonly revokedCount: number | undefined;
  /** Uids of the accounts that the request exempts; `undefined` for one that is not there. */
  readonly exempt: readonly (string | undefined)[];
}

export type OrganizationVerdict = Omit<Verdict, "account"> & { readonly organization?: OrganizationState };

export function judgeOrganization(s: OrganizationSituation): OrganizationVerdict {
  switch (s.rpc) {
    case "getCredentialPolicy":
      return { reason: "", isRecorded: false, body: shownPolicy(s.organization) };
    case "updateCredentialPolicy":
      return judgePolicy(s);
    case "revokeAllCredentials":
      return judgeRevokeAll(s);
    default:
      throw new TypeError(`the model has no rule for ${s.rpc}`);
  }
}

const FIELDS: Readonly<Record<string, keyof PolicyValues>> = {
  default_lifetime: "defaultLifetime",
  min_lifetime: "minLifetime",
  max_lifetime: "maxLifetime",
  max_active_credentials: "maxActiveCredentials",
  creation: "creation",
};

function judgePolicy(s: OrganizationSituation): OrganizationVerdict {
  if (!s.etagFits) return refusal("ETAG_MISMATCH");
  const { organization } = s;
  const policy: PolicyValues = { ...organization.policy, ...changesOf(s.req) };
  const field = outOfBounds(policy, organization);
  if (field !== undefined) return { reason: "POLICY_OUT_OF_BOUNDS" };
  const changed = {
    ...organization,
    policy,
    policyRevision: organization.policyRevision + 1,
    policyUpdatedAt: s.now,
  };
  const body = shownPolicy(changed);
  return s.req.validateOnly
    ? { reason: "", isRecorded: false, body }
    : { reason: "", body, organization: changed };
}

/** The fields that the request names, by a mask or by setting them; what is named and not set is the server's again. */
function changesOf(req: OrganizationSituation["req"]): PolicyValues {
  const values: Readonly<Record<keyof PolicyValues, unknown>> = {
    defaultLifetime: req.defaultLifetime && msOf(req.defaultLifetime) / 1000,
    minLifetime: req.minLifetime && msOf(req.minLifetime) / 1000,
    maxLifetime: req.maxLifetime && msOf(req.maxLifetime) / 1000,
    maxActiveCredentials: req.maxActiveCredentials,
    creation: ["", "allowed", "denied"][req.creation ?? 0] || undefined,
  };
  const named = req.updateMask?.paths.map((path: string) => FIELDS[path]) as
    | (keyof PolicyValues)[]
    | undefined;
  const isNamed = (name: keyof PolicyValues) => named?.includes(name) ?? values[name] !== undefined;
  return Object.fromEntries(Object.entries(values).filter(([name]) => isNamed(name as keyof PolicyValues)));
}

/** The first value that leaves the server's bounds or the order of the lifetimes, by those that would hold. */
function outOfBounds(wanted: PolicyValues, before: OrganizationState): string | undefined {
  const { minLifetime, maxLifetime } = effectivePolicy({ ...before, policy: wanted });
  const {
    minLifetime: min,
    maxLifetime: max,
    defaultLifetime: standard,
    maxActiveCredentials: limit,
  } = wanted;
  const isOut = (value: number | undefined, from: number, to: number) =>
    value !== undefined && (value < from || value > to);
  if (isOut(min, BOUNDS.minLifetime, maxLifetime)) return "min_lifetime";
  if (isOut(max, minLifetime, BOUNDS.maxLifetime)) return "max_lifetime";
  if (isOut(standard, minLifetime, maxLifetime)) return "default_lifetime";
  return isOut(limit, 1, BOUNDS.maxActiveCredentials) ? "max_active_credentials" : undefined;
}

function judgeRevokeAll(s: OrganizationSituation): OrganizationVerdict {
  if (s.exempt.includes(undefined)) return refusal("NOT_FOUND");
  const before = s.revokedBefore;
  const isGood = before !== undefined && before > s.now;
  const body = { revokedBefore: isGood ? before : `after ${s.now}`, revokedCredentialCount: s.revokedCount };
  if (s.req.validateOnly) return { reason: "", isRecorded: false, body };
  const { organization } = s;
  const heldUntilNow = (uid: string) =>
    organization.exemptions.has(uid) ? organization.exemptions.get(uid) : organization.revokedBefore;
  return {
    reason: "",
    body,
    organization: {
      ...organization,
      revokedBefore: latest(organization.revokedBefore, before),
      exemptions: new Map(s.exempt.map((uid) => [uid as string, heldUntilNow(uid as string)])),
    },
  };
}
