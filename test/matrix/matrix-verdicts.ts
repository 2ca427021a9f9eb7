/** What a call comes to: what the caller hears of it, and what the audit trail does. */
export interface Verdict {
  /** Of `google.rpc.Code`; 0 is success. */
  readonly code: number;
  /** Reason of the ErrorInfo; empty on success. */
  readonly reason: string;
  /** At the REST edge. */
  readonly restStatus: number;
  /** Type in the ResourceInfo. */
  readonly resource?: string;
  /** The word for it in the audit trail, where that has it at all. */
  readonly outcome: string;
}

export const OK: Verdict = { code: 0, reason: "", restStatus: 200, outcome: "succeeded" };
export const CREATED: Verdict = { code: 0, reason: "", restStatus: 201, outcome: "succeeded" };
export const DELETED: Verdict = { code: 0, reason: "", restStatus: 204, outcome: "succeeded" };

/** Nobody knows who that is, so that no trail has it. */
export const NOBODY: Verdict = { code: 16, reason: "UNAUTHENTICATED", restStatus: 401, outcome: "" };

/** A client that presents no secret of its own. Nobody knows who that is either. */
export const INVALID_CLIENT: Verdict = { code: 16, reason: "INVALID_CLIENT", restStatus: 401, outcome: "" };

export const DENIED: Verdict = {
  code: 7,
  reason: "PERMISSION_DENIED",
  restStatus: 403,
  outcome: "permission_denied",
};

/** A denial that says nothing about what there is. */
const hidden = (resource: string): Verdict => ({
  code: 5,
  reason: "NOT_FOUND",
  restStatus: 404,
  resource,
  outcome: "permission_denied",
});

export const HIDDEN_ACCOUNT = hidden("keyturn.dev/ServiceAccount");
export const HIDDEN_CREDENTIAL = hidden("keyturn.dev/Credential");

const absent = (resource: string): Verdict => ({
  code: 5,
  reason: "NOT_FOUND",
  restStatus: 404,
  resource,
  outcome: "not_found",
});

export const NO_ACCOUNT = absent("keyturn.dev/ServiceAccount");
export const NO_CREDENTIAL = absent("keyturn.dev/Credential");
export const NO_ORGANIZATION = absent("keyturn.dev/Organization");

export const TAKEN: Verdict = {
  code: 6,
  reason: "ALREADY_EXISTS",
  restStatus: 409,
  resource: "keyturn.dev/ServiceAccount",
  outcome: "already_exists",
};

export const MALFORMED: Verdict = {
  code: 3,
  reason: "INVALID_ARGUMENT",
  restStatus: 400,
  outcome: "invalid_argument",
};

/** Whether somebody is kept out before it is looked at what he asks for. */
export const isBarred = ({ reason, outcome }: Verdict): boolean =>
  reason === NOBODY.reason || outcome === DENIED.outcome;
