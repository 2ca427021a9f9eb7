import { present, type Shown, shownCredential } from "./shown.ts";
import { judgeRoles, msOf, refusal, type Situation, type Verdict } from "./situation.ts";
import {
  type AccountState,
  type CredentialState,
  effectivePolicy,
  latest,
  liveOf,
  statusOf,
} from "./state.ts";

/** CreateCredential by the rules. */
export function judgeCreate(s: Situation, account: AccountState): Verdict {
  const { displayName, labels = {} } = s.req;
  return judgeRetry(s, account) ?? issue(s, account, { displayName, labels });
}

/** RotateCredential by the rules. */
export function judgeRotate(s: Situation, account: AccountState): Verdict {
  const retried = judgeRetry(s, account);
  if (retried !== undefined) return retried;
  const old = account.credentials.find(({ id }) => id === s.req.id);
  if (old === undefined) return refusal("NOT_FOUND");
  if (!s.etagFits) return refusal("ETAG_MISMATCH");
  const status = statusOf(old, account, s.sight.found, s.now);
  if (status === "expired" || status === "revoked") return refusal("CREDENTIAL_NOT_ACTIVE", { status });
  const graceMs = msOf(s.req.gracePeriod ?? {});
  const endsAt = s.now + graceMs;
  if (endsAt > old.expiresAt)
    return refusal("GRACE_PERIOD_ABOVE_MAXIMUM", { latest: new Date(old.expiresAt).toISOString() });

  const { displayName, labels } = old;
  const issued = issue(s, account, { displayName, labels }, graceMs === 0 ? old : undefined);
  if (issued.reason !== "") return issued;
  const retired = { ...old, expiresAt: endsAt };
  const replacedCredential = shownCredential(retired, account, s.sight.retired, s.now);
  return {
    ...issued,
    body: { ...issued.body, replacedCredential },
    ...(issued.account === undefined || issued.account === "gone"
      ? {}
      : { account: withCredential(issued.account, retired) }),
  };
}

/** The same account with a credential in the place of the one of its id. */
export const withCredential = (account: AccountState, changed: CredentialState): AccountState => ({
  ...account,
  credentials: account.credentials.map((credential) => (credential.id === changed.id ? changed : credential)),
});

/** What a request id that has served before makes of the call; nothing when it has not. */
function judgeRetry(s: Situation, account: AccountState): Verdict | undefined {
  const { retry } = s;
  if (s.req.validateOnly || retry.kind === "none") return undefined;
  if (retry.kind === "reused") return refusal("REQUEST_ID_REUSED");
  const find = (wanted: string | undefined) => account.credentials.find(({ id }) => id === wanted);
  const credential = find(retry.credentialId);
  if (credential === undefined) return refusal("NOT_FOUND");
  const replaced = find(retry.replacedId);
  const secret = !retry.secretIsOver && credential.lastUsedAt === undefined;
  const shown = shownCredential(credential, account, s.sight.shown, s.now);
  return {
    reason: "",
    isRecorded: false,
    secret,
    body: present({
      ...(secret ? withoutHint(shown) : shown),
      replacedCredential: replaced && shownCredential(replaced, account, s.sight.retired, s.now),
    }),
  };
}

const withoutHint = ({ hint: _, ...others }: Shown): Shown => others;

/** One more credential, unless a rule is against it. `retiring` ends in the same moment and so makes room. */
function issue(
  s: Situation,
  account: AccountState,
  named: Pick<CredentialState, "displayName" | "labels">,
  retiring?: CredentialState,
): Verdict {
  const policy = effectivePolicy(s.sight.judged);
  const asked = s.req.expiresAt === undefined ? undefined : msOf(s.req.expiresAt);
  const expiresAt = asked ?? s.now + policy.defaultLifetime * 1000;
  const notBefore =
    s.req.notBefore !== undefined && msOf(s.req.notBefore) > s.now ? msOf(s.req.notBefore) : undefined;
  const refused =
    judgeExpiry(s.now, asked, policy) ??
    (notBefore !== undefined && notBefore >= expiresAt
      ? refusal("NOT_BEFORE_AFTER_EXPIRY", { expires_at: new Date(expiresAt).toISOString() })
      : undefined) ??
    (policy.creation === "denied" ? refusal("CREDENTIAL_CREATION_DENIED") : undefined) ??
    judgeRoles(s.caller, account.roles) ??
    judgeLimit(s, account, policy.maxActiveCredentials, retiring);
  if (refused !== undefined) return refused;

  const newest = latest(...account.credentials.map(({ createdAt }) => createdAt));
  const createdAt = latest(
    s.now,
    account.revokedBefore,
    s.sight.born.revokedBefore,
    newest && newest + 1,
  ) as number;
  const { id, uid, hint } = s.made;
  const made = {
    ...named,
    id,
    uid,
    hint,
    createdBy: s.caller.subject,
    createdAt,
    expiresAt,
    notBefore,
    lastUsedAt: undefined,
  };
  const shown = withoutHint(shownCredential(made, account, s.sight.shown, s.now));
  if (s.req.validateOnly) {
    const { selfLink: _, uid: __, id: ___, ...foretold } = shown;
    return { reason: "", isRecorded: false, secret: false, body: foretold };
  }
  return {
    reason: "",
    secret: true,
    body: shown,
    account: { ...account, credentials: [...account.credentials, made] },
  };
}

function judgeExpiry(
  now: number,
  asked: number | undefined,
  { minLifetime, maxLifetime }: ReturnType<typeof effectivePolicy>,
): Verdict | undefined {
  if (asked === undefined) return undefined;
  const at = (seconds: number) => new Date(now + seconds * 1000).toISOString();
  if (asked <= now) return refusal("EXPIRY_IN_PAST", { now: at(0) });
  if (asked < now + minLifetime * 1000)
    return refusal("EXPIRY_BELOW_MINIMUM", {
      earliest: at(minLifetime),
      min_lifetime_seconds: String(minLifetime),
    });
  if (asked > now + maxLifetime * 1000)
    return refusal("EXPIRY_ABOVE_MAXIMUM", {
      latest: at(maxLifetime),
      max_lifetime_seconds: String(maxLifetime),
    });
  return undefined;
}

function judgeLimit(
  s: Situation,
  account: AccountState,
  limit: number,
  retiring: CredentialState | undefined,
): Verdict | undefined {
  const live = liveOf(account, s.sight.judged, s.now).filter(({ id }) => id !== retiring?.id);
  if (live.length < limit) return undefined;
  const byUse = (credential: CredentialState) => credential.lastUsedAt ?? -Infinity;
  const [safest] = live.sort((a, b) =>
    byUse(a) === byUse(b) ? a.createdAt - b.createdAt : byUse(a) - byUse(b),
  );
  return refusal("CREDENTIAL_LIMIT_REACHED", {
    limit: String(limit),
    active_count: String(live.length),
    safest_to_delete: safest?.id ?? "",
  });
}
