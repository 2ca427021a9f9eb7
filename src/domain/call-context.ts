import type { Caller } from "./caller.ts";

/** Every role, or a list of them: what a caller may give to a service account. */
export type GrantableRoles = "all" | readonly string[];

export type Reach = "organization" | "platform";

/** What a verb needs to know of the call that it is done for, whatever the door. */
export interface CallContext {
  readonly caller: Caller;
  readonly grantableRoles: GrantableRoles;
  /** Whose secrets and tokens the caller may ask about: his own organization's, or everybody's. */
  readonly reach: Reach;
  /** Request id of the call (`X-Request-Id`), for the audit trail. */
  readonly requestId: string;
  /** Address that the call came from, as far as it can be trusted. */
  readonly clientAddress: string | undefined;
  /** Milliseconds that are left for work, asked at the moment when it matters. */
  readonly budgetMs: () => number;
  /** Aborts when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}
