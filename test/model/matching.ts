/** Whether what a caller heard is what the model says, in one of the ways in which it can have come about. */
import { isDeepStrictEqual } from "node:util";
import type { Call } from "./clients.ts";
import { type Ledger, sightsDuring } from "./ledger.ts";
import { READS } from "./operations.ts";
import { judgeOrganization, type OrganizationVerdict } from "./organization-rules.ts";
import { judge } from "./rules.ts";
import { instantsIn, shownOf } from "./shown.ts";
import { type Made, msOf, type Verdict } from "./situation.ts";
import { type AccountState, effectivePolicy, type OrganizationState } from "./state.ts";

/** When a statement read the clock. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/** A way in which an answer can have come about. */
export interface Match<V> {
  readonly verdict: V;
  /** Whether the etag that the call sent was taken to be the present one; `undefined` when nothing hung on it. */
  readonly etagFits: boolean | undefined;
  /** As it was when the resource was found. */
  readonly organization: OrganizationState;
}

/** All ways that fit, and all verdicts that do not. */
export interface Matches<V> {
  readonly matches: readonly Match<V>[];
  readonly others: readonly V[];
}

/** What to compare besides what the caller heard. */
export interface Told {
  readonly isRecorded: boolean;
  readonly window: Window;
}

/** Every way to come to what was heard about an account in this state. */
export function matchAccount(
  ledger: Ledger,
  call: Call,
  account: AccountState | undefined,
  tenant: string,
  told: Told,
): Matches<Verdict> {
  const made = madeBy(call);
  const { rpc, req, client: caller } = call;
  return together(
    sightsDuring(ledger, call).flatMap((sight) =>
      ledger.retriesOf(call, account).flatMap((retry) =>
        nowsOf(call, told.window, account, sight.judged).map((now) => {
          const situation = { rpc, req, caller, tenant, account, sight, now, made, retry };
          return matchEtag(call, told, sight.found, (etagFits) => judge({ ...situation, etagFits }));
        }),
      ),
    ),
  );
}

/** The same for a call about the whole organization. */
export function matchOrganization(
  call: Call,
  organization: OrganizationState,
  exempt: readonly (string | undefined)[],
  told: Told,
): Matches<OrganizationVerdict> {
  const { rpc, req, heard } = call;
  const { revokedBefore } = madeBy(call);
  const revokedCount = heard.body?.revokedCredentialCount;
  return together(
    nowsOf(call, told.window, undefined, organization).map((now) => {
      const situation = { rpc, req, organization, now, revokedBefore, revokedCount, exempt };
      return matchEtag(call, told, organization, (etagFits) => judgeOrganization({ ...situation, etagFits }));
    }),
  );
}

const together = <V>(parts: readonly Matches<V>[]): Matches<V> => ({
  matches: parts.flatMap(({ matches }) => matches),
  others: parts.flatMap(({ others }) => others),
});

/** With the etag of the call as the present one, and as a stale one. */
function matchEtag<V extends Verdict | OrganizationVerdict>(
  call: Call,
  { isRecorded }: Told,
  organization: OrganizationState,
  judgeWith: (etagFits: boolean) => V,
): Matches<V> {
  const verdicts = call.req.etag === undefined ? [judgeWith(true)] : [judgeWith(true), judgeWith(false)];
  const fitting = verdicts.filter((verdict) => fits(verdict, call, isRecorded));
  const [verdict] = fitting;
  if (verdict === undefined) return { matches: [], others: verdicts };
  const etagFits = fitting.length === 1 ? verdict === verdicts[0] : undefined;
  return { matches: [{ verdict, etagFits, organization }], others: [] };
}

function fits(
  verdict: Verdict | OrganizationVerdict,
  { rpc, heard, req }: Call,
  isRecorded: boolean,
): boolean {
  if (verdict.reason !== heard.reason) return false;
  // Reads and dry runs are never in the trail, refused or not.
  const mustBeRecorded = !READS.includes(rpc) && !req.validateOnly && (verdict.isRecorded ?? true);
  if (isRecorded !== mustBeRecorded) return false;
  if (verdict.reason !== "")
    return verdict.metadata === undefined || isDeepStrictEqual(verdict.metadata, { ...heard.metadata });
  // Over REST what was deleted has no answer.
  if (heard.body === undefined) return true;
  if ((heard.body.clientSecret !== undefined) !== (verdict.secret ?? false)) return false;
  return isDeepStrictEqual(verdict.body, shownOf(heard.body));
}

function madeBy({ heard: { body } }: Call): Made {
  const instant = (name: string): number | undefined => body?.[name] && Date.parse(body[name]);
  return {
    id: body?.id ?? "",
    uid: body?.uid ?? "",
    hint: body?.clientSecret?.slice(-4) ?? "",
    createdAt: instant("createdAt"),
    revokedBefore: instant("revokedBefore"),
  };
}

/** Every reading of the clock that could make a difference: where something ends or begins, and what the answer came from. */
export function nowsOf(
  call: Pick<Call, "heard" | "req">,
  { from, to }: Window,
  account: AccountState | undefined,
  organization: OrganizationState,
): number[] {
  const graceMs = msOf(call.req.gracePeriod ?? {});
  const { defaultLifetime, minLifetime, maxLifetime } = effectivePolicy(organization);
  const offsets = [
    0,
    1,
    graceMs,
    ...[defaultLifetime, minLifetime, maxLifetime].map((seconds) => seconds * 1000),
  ];
  const answered = instantsIn(call.heard).flatMap((instant) => offsets.map((offset) => instant - offset));
  const turns = (account?.credentials ?? []).flatMap(({ expiresAt, notBefore }) => {
    const end = [expiresAt - 1, expiresAt, expiresAt - graceMs, expiresAt - graceMs + 1];
    return notBefore === undefined ? end : [...end, notBefore - 1, notBefore];
  });
  const inside = [...answered, ...turns].filter((instant) => instant > from && instant < to);
  return [...new Set([from, to, ...inside])].filter(Number.isFinite);
}
