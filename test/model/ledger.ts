import type { Call } from "./clients.ts";
import { LOOKS, type Retry, type Sight } from "./situation.ts";
import { type AccountState, NEW_ORGANIZATION, type OrganizationState } from "./state.ts";

/** A state, and the call that led to it. It holds until the next one. */
export interface Point<State> {
  readonly state: State;
  /** Ticks between which the state came about. */
  readonly start: number;
  readonly end: number;
  /** By the clock of the database. */
  readonly at: number;
}

/** A credential that was issued under a request id. */
interface IssuedUnder {
  readonly call: Call;
  readonly accountUid: string;
  readonly credentialId: string;
}

/** All states that the organization and each account have been in, in the order of the audit trail. */
export interface Ledger {
  readonly organization: Point<OrganizationState>[];
  /** Of one account id: whoever had it, one after the other, and nobody in between. */
  account(id: string): Point<AccountState | undefined>[];
  issued(call: Call, accountUid: string, credentialId: string): void;
  deleted(accountUid: string, call: Call): void;
  /** From now on all that was issued so far is older than ten minutes. */
  age(tick: number): void;
  /** What the request id of a call can stand for, when the call finds this account. */
  retriesOf(call: Call, account: AccountState | undefined): Retry[];
}

const BEFORE = { start: -Infinity, end: -Infinity, at: -Infinity };

export function openLedger(): Ledger {
  const accounts = new Map<string, Point<AccountState | undefined>[]>();
  const issues: IssuedUnder[] = [];
  const deletions = new Map<string, Call>();
  let agedAt = -Infinity;

  /** Whether an account was still there when a call was decided; both, when nobody can know. */
  function wasThere(uid: string, call: Call): boolean[] {
    const deletion = deletions.get(uid);
    if (deletion === undefined || deletion.start > call.end) return [true];
    return deletion.end < call.start ? [false] : [true, false];
  }

  function retryOf({ call, credentialId }: IssuedUnder, again: Call): Retry {
    if (bodyOf(call) !== bodyOf(again)) return { kind: "reused" };
    return { kind: "retried", credentialId, replacedId: call.req.id, secretIsOver: call.end < agedAt };
  }

  return {
    organization: [{ ...BEFORE, state: NEW_ORGANIZATION }],
    account(id) {
      const points = accounts.get(id) ?? [{ ...BEFORE, state: undefined }];
      accounts.set(id, points);
      return points;
    },
    issued(call, accountUid, credentialId) {
      if (call.req.requestId !== undefined) issues.push({ call, accountUid, credentialId });
    },
    deleted: (uid, call) => void deletions.set(uid, call),
    age(tick) {
      agedAt = tick;
    },
    retriesOf(call, account) {
      const [prior] = issues
        .filter(
          (issue) =>
            issue.call.client.subject === call.client.subject &&
            issue.call.req.requestId === call.req.requestId &&
            issue.call.end < call.start,
        )
        .sort((a, b) => b.call.end - a.call.end);
      if (call.req.requestId === undefined || prior === undefined) return [{ kind: "none" }];
      const isSame = account?.uid === prior.accountUid;
      const isSuccessor = !isSame && account?.id === prior.call.req.serviceAccountId;
      const there = isSame ? [true] : isSuccessor ? [false] : wasThere(prior.accountUid, call);
      return there.map((isThere) => (isThere ? retryOf(prior, call) : { kind: "none" }));
    },
  };
}

/** All that makes a request what it is, besides its request id. */
function bodyOf({ rpc, req }: Call): string {
  const { requestId: _, validateOnly: __, ...body } = req;
  return JSON.stringify([rpc, body], (_key, value) => (typeof value === "bigint" ? Number(value) : value));
}

/** The states that a call can have seen: those that had begun to be before it ended, and had not ended before it began. */
export function pointsDuring<State>(points: readonly Point<State>[], call: Pick<Call, "start" | "end">) {
  return points.filter(
    ({ start }, index) => start < call.end && (points[index + 1]?.end ?? Infinity) > call.start,
  );
}

/** Every order of looks at the organization, each no earlier than the one before. */
export function sightsDuring(ledger: Ledger, call: Pick<Call, "start" | "end">): Sight[] {
  const states = pointsDuring(ledger.organization, call).map(({ state }) => state);
  return LOOKS.reduce<{ readonly sight: Partial<Sight>; readonly at: number }[]>(
    (sights, look) =>
      sights.flatMap(({ sight, at }) =>
        states.slice(at).map((state, offset) => ({ sight: { ...sight, [look]: state }, at: at + offset })),
      ),
    [{ sight: {}, at: 0 }],
  ).map(({ sight }) => sight as Sight);
}
