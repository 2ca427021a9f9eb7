import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import type { RpcName, SERVICES, ServiceName } from "../../src/rpc/services.ts";
import type { CallerName, Named, Target } from "./matrix-callers.ts";
import { DENIED, HIDDEN_ACCOUNT, HIDDEN_CREDENTIAL, NOBODY, type Verdict } from "./matrix-verdicts.ts";

/** What each caller is told, whatever he names. */
type Answers<T extends Target> = Readonly<Record<CallerName, Readonly<Record<T, Verdict>>>>;

/** One way to ask for an RPC, and what comes of it. */
export interface Ask<Init> {
  readonly request: (named: Named) => Init;
  readonly answers: Answers<"own"> | Answers<"own" | "foreign" | "missing"> | Answers<Target>;
}

export interface Row<Init = MessageInitShape<DescMessage>> {
  /** What the trail calls it. */
  readonly action: string;
  /** What the trail has: every refusal and every success, every refusal (the call changes nothing here), or every denial. */
  readonly trail: "everything" | "refusals" | "denials";
  readonly asks: readonly [Ask<Init>, ...Ask<Init>[]];
}

type InitOf<Method> = Method extends { input: infer I extends DescMessage } ? MessageInitShape<I> : never;

/** A row for every RPC of a service: one missing or left over does not compile. */
export type RowsOf<S extends ServiceName> = {
  readonly [R in RpcName<S>]: Row<InitOf<(typeof SERVICES)[S]["method"][R]>>;
};

/** What the same caller is told whatever he names. */
export const nobody = { own: NOBODY, others: NOBODY, foreign: NOBODY, missing: NOBODY };
export const denied = { own: DENIED, others: DENIED, foreign: DENIED, missing: DENIED };
export const hiddenAccount = {
  own: HIDDEN_ACCOUNT,
  others: HIDDEN_ACCOUNT,
  foreign: HIDDEN_ACCOUNT,
  missing: HIDDEN_ACCOUNT,
};
export const hiddenCredential = {
  own: HIDDEN_CREDENTIAL,
  others: HIDDEN_CREDENTIAL,
  foreign: HIDDEN_CREDENTIAL,
  missing: HIDDEN_CREDENTIAL,
};
