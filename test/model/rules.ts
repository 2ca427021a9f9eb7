import { ServiceAccountStatus } from "../../gen/keyturn/v1/service_account_pb.ts";
import { judgeCreate, judgeRotate } from "./issue-rules.ts";
import { present, shownAccount, shownCredential } from "./shown.ts";
import { judgeRoles, refusal, type Situation, type Verdict } from "./situation.ts";
import { type AccountState, latest, liveOf, statusOf } from "./state.ts";

/** What becomes of a call that is about one service account, by the rules and by nothing of the server's code. */
export function judge(s: Situation): Verdict {
  if (s.rpc === "createServiceAccount") return judgeCreateAccount(s);
  const { account } = s;
  if (account === undefined) return refusal("NOT_FOUND");
  switch (s.rpc) {
    case "createCredential":
      return judgeCreate(s, account);
    case "rotateCredential":
      return judgeRotate(s, account);
    case "deleteCredential":
      return judgeDelete(s, account);
    case "revokeAllCredentials":
      return judgeRevoke(s, account);
    case "updateServiceAccount":
      return judgeUpdateAccount(s, account);
    case "deleteServiceAccount":
      return judgeDeleteAccount(s, account);
    case "getServiceAccount":
      return read(shownAccount(account, s.sight.shown, s.now, s.tenant));
    case "getCredential":
      return judgeGet(s, account);
    case "listCredentials":
      return judgeList(s, account);
    default:
      throw new TypeError(`the model has no rule for ${s.rpc}`);
  }
}

const read = (body: Verdict["body"]): Verdict => ({ reason: "", isRecorded: false, ...(body && { body }) });

function judgeGet(s: Situation, account: AccountState): Verdict {
  const found = account.credentials.find(({ id }) => id === s.req.id);
  if (found === undefined) return { ...refusal("NOT_FOUND"), isRecorded: false };
  return read(shownCredential(found, account, s.sight.shown, s.now));
}

const STATUS_WORDS = ["", "active", "expired", "revoked", "pending"];

function judgeList(s: Situation, account: AccountState): Verdict {
  const status = STATUS_WORDS[s.req.status ?? 0];
  const credentials = account.credentials
    .filter((credential) => !status || statusOf(credential, account, s.sight.shown, s.now) === status)
    .filter(({ lastUsedAt }) => !s.req.neverUsed || lastUsedAt === undefined)
    .map((credential) => shownCredential(credential, account, s.sight.shown, s.now));
  return read({ credentials });
}

function judgeDelete(s: Situation, account: AccountState): Verdict {
  const doomed = account.credentials.find(({ id }) => id === s.req.id);
  if (doomed === undefined) return refusal("NOT_FOUND");
  if (!s.etagFits) return refusal("ETAG_MISMATCH");
  const remaining = liveOf(account, s.sight.judged, s.now).filter(({ id }) => id !== doomed.id);
  const wasLive = liveOf(account, s.sight.found, s.now).includes(doomed);
  const body = present({
    lastUsedAt: doomed.lastUsedAt,
    remainingActiveCount: remaining.length,
    lastActive: wasLive && remaining.length === 0,
  });
  if (s.req.validateOnly) return read(body);
  const credentials = account.credentials.filter(({ id }) => id !== doomed.id);
  return { reason: "", body, account: { ...account, credentials, tombstones: account.tombstones + 1 } };
}

function judgeRevoke(s: Situation, account: AccountState): Verdict {
  const newest = latest(...account.credentials.map(({ createdAt }) => createdAt)) ?? -Infinity;
  const before = s.made.revokedBefore;
  // Which instant exactly is the server's to say: later than every credential, and no earlier than what held.
  const isGood =
    before !== undefined && before > Math.max(newest, s.now) && before >= (account.revokedBefore ?? before);
  const body = {
    revokedBefore: isGood ? before : `after ${Math.max(newest, s.now)}`,
    revokedCredentialCount: liveOf(account, s.sight.judged, s.now).length,
  };
  if (s.req.validateOnly) return read(body);
  return { reason: "", body, account: { ...account, revokedBefore: before } };
}

function judgeCreateAccount(s: Situation): Verdict {
  const { id, displayName, description, roles = [] } = s.req;
  const refused = judgeRoles(s.caller, roles) ?? (s.account && refusal("ALREADY_EXISTS"));
  if (refused !== undefined) return refused;
  const createdAt = s.made.createdAt ?? s.now;
  const account: AccountState = {
    ...{ id, displayName, description, roles, status: "active", revision: 0, tombstones: 0, credentials: [] },
    ...{
      uid: s.made.uid,
      createdBy: s.caller.subject,
      createdAt,
      updatedAt: createdAt,
      revokedBefore: undefined,
    },
  };
  if (!s.req.validateOnly)
    return { reason: "", body: shownAccount(account, s.sight.shown, s.now, s.tenant), account };
  const {
    selfLink: _,
    uid: __,
    credentialsRevokedBefore: ___,
    ...foretold
  } = shownAccount(account, s.sight.shown, s.now, s.tenant);
  return read(foretold);
}

function judgeUpdateAccount(s: Situation, account: AccountState): Verdict {
  const { displayName, description, roles = [], status } = s.req;
  if (!s.etagFits) return refusal("ETAG_MISMATCH");
  const changesRoles = s.req.updateMask?.paths.includes("roles") ?? roles.length > 0;
  const enables = status === ServiceAccountStatus.ACTIVE && account.status === "disabled";
  const after: readonly string[] = changesRoles ? roles : account.roles;
  // Who enables an account brings all of its roles back to life.
  const refused = judgeRoles(
    s.caller,
    enables ? after : after.filter((role) => !account.roles.includes(role)),
  );
  if (refused !== undefined) return refused;
  const changed: AccountState = {
    ...account,
    displayName: displayName ?? account.displayName,
    description: description === undefined ? account.description : description || undefined,
    roles: after,
    status:
      status === undefined
        ? account.status
        : status === ServiceAccountStatus.DISABLED
          ? "disabled"
          : "active",
    updatedAt: Math.max(s.now, account.updatedAt),
    revision: account.revision + 1,
  };
  const body = shownAccount(changed, s.sight.shown, s.now, s.tenant);
  return s.req.validateOnly ? read(body) : { reason: "", body, account: changed };
}

function judgeDeleteAccount(s: Situation, account: AccountState): Verdict {
  if (!s.etagFits) return refusal("ETAG_MISMATCH");
  const lastUsedAt = latest(...account.credentials.map((credential) => credential.lastUsedAt));
  const activeCredentialCount = liveOf(account, s.sight.judged, s.now).length;
  const body = present({ lastUsedAt, activeCredentialCount });
  return s.req.validateOnly ? read(body) : { reason: "", body, account: "gone" };
}
