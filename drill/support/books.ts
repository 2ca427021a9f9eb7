import { Code } from "@connectrpc/connect";
import { auditFaults } from "../../test/support/audit.ts";
import type { GrpcFailure } from "../../test/support/clients.ts";
import { eventually } from "../../test/support/eventually.ts";
import type { Broken, Invariant } from "./drill.ts";
import type { World } from "./world.ts";

/** A credential as its creator knows it. */
export interface Held {
  readonly id: string;
  readonly secret: string;
  readonly account: string;
}

/** What a secret turned out to be when it was shown; undefined where the call failed. */
export type Verdict = "good" | "refused" | undefined;

/** What each caller was told, to be compared with what is there. */
export interface Books {
  /** Acknowledged, and nobody has asked for their end. */
  readonly live: Map<string, Held>;
  /** Their end was acknowledged: replaced without a grace period, or deleted. */
  readonly ended: Map<string, Held>;
  /** Somebody has asked for their end, and was told nothing certain. */
  readonly unclear: Map<string, Held>;
  count(word: string): void;
  /** A call that failed. `issuesFor`: the account that has another credential if it was done all the same. */
  failed(failure: GrpcFailure, issuesFor?: string): void;
  broke(invariant: Invariant, sentence: string): void;
  tally(): Readonly<Record<string, number>>;
  /** How many calls have failed so far. */
  failures(): number;
  /** @param accounts of the load; others are nobody's business here. */
  judge(
    world: World,
    accounts: readonly string[],
    show: (held: Held) => Promise<Verdict>,
  ): Promise<Judgement>;
}

export interface Judgement {
  readonly lost: number;
  readonly broken: readonly Broken[];
}

/** A service in trouble may say one of these, and nothing else. */
const TRUTHFUL = new Set(["DATABASE_UNAVAILABLE", "OVERLOADED", "LOCK_TIMEOUT", "DEADLINE_EXCEEDED"]);

/** Whether the call may have been done. Whoever heard nothing of the service's own cannot know. */
export const isInDoubt = ({ reason, metadata }: GrpcFailure): boolean =>
  reason === undefined || reason === "DEADLINE_EXCEEDED" || metadata["in_doubt"] === "true";

/** That one verifies costs a hash, so that a sample has to do. */
const SHOWN_MAX = 60;
const SENTENCES_MAX = 5;

/** Keeps at most so many of a list, from all over it. */
const everyNth =
  (max: number) =>
  (_: unknown, index: number, all: readonly unknown[]): boolean =>
    index % Math.ceil(all.length / max) === 0;

/** @param mayLoseServer whether connections may break, as they do when a server ends. */
export function openBooks({ mayLoseServer }: { readonly mayLoseServer: boolean }): Books {
  const live = new Map<string, Held>();
  const ended = new Map<string, Held>();
  const unclear = new Map<string, Held>();
  const inDoubt = new Map<string, number>();
  const wrong = new Map<string, Broken>();
  const counts: Record<string, number> = {};
  let failures = 0;
  /** Callers who heard of their deadline by the transport, and by the service, which tells it a little earlier. */
  const late = { unheard: 0, heard: 0 };

  const broke = (invariant: Invariant, sentence: string) => {
    if (wrong.size < SENTENCES_MAX) wrong.set(sentence, { invariant, sentence });
  };
  const count = (word: string) => {
    counts[word] = (counts[word] ?? 0) + 1;
  };
  return {
    live,
    ended,
    unclear,
    count,
    broke,
    failed(failure, issuesFor) {
      failures += 1;
      const { code, reason, message } = failure;
      count(`${reason ?? `code ${code}`}${isInDoubt(failure) ? " (in doubt)" : ""}`);
      if (code === Code.DeadlineExceeded) late[reason === undefined ? "unheard" : "heard"] += 1;
      if (code === Code.Canceled) broke("heard", "a caller heard nothing until long after its deadline");
      else if (
        code !== Code.DeadlineExceeded &&
        !TRUTHFUL.has(reason ?? "") &&
        !(mayLoseServer && isLostConnection(failure))
      )
        broke("truthful", `${code} ${reason} ${message}`);
      if (issuesFor !== undefined && isInDoubt(failure))
        inDoubt.set(issuesFor, (inDoubt.get(issuesFor) ?? 0) + 1);
    },
    tally: () => ({ ...counts }),
    failures: () => failures,
    async judge(world, accounts, show) {
      // One whose server was kept from its work just then is a busy machine; many are none.
      if (late.unheard > late.heard)
        broke("heard", `${late.unheard} callers heard nothing by their deadline`);
      const broken = [...wrong.values()];
      const rows = await world.sql<{ id: string; account: string }[]>`
        select id, service_account_id as account from keyturn.credentials
         where organization_id = ${world.organizationId} and service_account_id = any(${[...accounts]})`;
      const present = new Set(rows.map(({ id }) => id));
      // A credential that has ended leaves its row.
      const acknowledged = new Map([...live, ...ended, ...unclear]);
      const missing = [...acknowledged.keys()].filter((id) => !present.has(id));
      let lost = missing.length;
      // Once all is well each has to be answered, sooner or later.
      const shown = (held: Held) => eventually(() => show(held));
      for (const held of [...live.values()].filter(({ id }) => present.has(id)).filter(everyNth(SHOWN_MAX)))
        if ((await shown(held)) === "refused") lost += 1;
      if (lost > 0) broken.push({ invariant: "kept", sentence: `${lost} of ${acknowledged.size} are lost` });
      for (const held of [...ended.values()].filter(everyNth(SHOWN_MAX)))
        if ((await shown(held)) === "good")
          broken.push({ invariant: "gone", sentence: `${held.id} verifies after its end` });
      const unknown = Map.groupBy(
        rows.filter(({ id }) => !acknowledged.has(id)),
        ({ account }) => account,
      );
      for (const [account, { length }] of unknown) {
        if (length > (inDoubt.get(account) ?? 0))
          broken.push({ invariant: "explained", sentence: `${account} has ${length} nobody was told of` });
      }
      for (const sentence of await auditFaults(world.sql, world.organizationId))
        broken.push({ invariant: "audited", sentence });
      return { lost, broken: broken.slice(0, 4 * SENTENCES_MAX) };
    },
  };
}

const isLostConnection = ({ code, reason }: GrpcFailure) => code === Code.Unavailable && reason === undefined;
