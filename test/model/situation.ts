import type { Shown } from "./shown.ts";
import type { AccountState, OrganizationState } from "./state.ts";

/** Who calls. */
export interface ModelCaller {
  readonly subject: string;
  /** What he may give to service accounts. */
  readonly grantable: "all" | readonly string[];
}

/** When a statement about an account looks at the organization, in this order. */
export const LOOKS = ["found", "judged", "born", "shown", "retired"] as const;

/**
 * The organization as a statement about one of its accounts sees it. Nothing locks it meanwhile, so it may change between
 * one look and the next: when the credential is found, when the rules are asked, when the new one is born, when it is shown,
 * and when the one that it replaces is shown.
 */
export type Sight = Readonly<Record<(typeof LOOKS)[number], OrganizationState>>;

/** Everything that decides what becomes of a call. */
export interface Situation {
  /** Name of the RPC in the generated code. */
  readonly rpc: string;
  // biome-ignore lint/suspicious/noExplicitAny: each RPC has a request of its own
  readonly req: any;
  readonly caller: ModelCaller;
  readonly tenant: string;
  readonly account: AccountState | undefined;
  readonly sight: Sight;
  /** The clock once the account's lock is held. */
  readonly now: number;
  /** What only the server can choose. */
  readonly made: Made;
  /** Whether an etag that was sent is that of the resource as it is. Without one it is. */
  readonly etagFits: boolean;
  /** Whether the request id has served before, and for what. */
  readonly retry: Retry;
}

export interface Made {
  readonly id: string;
  readonly uid: string;
  readonly hint: string;
  readonly createdAt: number | undefined;
  readonly revokedBefore: number | undefined;
}

export type Retry =
  | { readonly kind: "none" }
  | { readonly kind: "reused" }
  | {
      readonly kind: "retried";
      readonly credentialId: string;
      readonly replacedId: string | undefined;
      readonly secretIsOver: boolean;
    };

/** What becomes of a call by the rules. */
export interface Verdict {
  /** Empty when it succeeds. */
  readonly reason: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly body?: Shown;
  /** Whether a secret is handed out. */
  readonly secret?: boolean;
  /** Whether the trail has it. */
  readonly isRecorded?: boolean;
  /** The account afterwards, when it is another than before; `gone` when there is none any more. */
  readonly account?: AccountState | "gone";
}

export const refusal = (reason: string, metadata: Readonly<Record<string, string>> = {}): Verdict => ({
  reason,
  metadata,
});

/** The roles that the caller cannot give, as a refusal; nothing when there are none. */
export function judgeRoles(caller: ModelCaller, roles: readonly string[]): Verdict | undefined {
  const { grantable } = caller;
  const refused = grantable === "all" ? [] : roles.filter((role) => !grantable.includes(role));
  return refused.length === 0 ? undefined : refusal("ROLE_NOT_GRANTABLE", { roles: refused.join(",") });
}

/** Milliseconds of a Timestamp or Duration in a request. */
export const msOf = ({
  seconds = 0n,
  nanos = 0,
}: {
  readonly seconds?: bigint;
  readonly nanos?: number;
}): number => Number(seconds) * 1000 + Math.floor(nanos / 1e6);
