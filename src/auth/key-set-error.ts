/** What went wrong while an issuer's keys were fetched. For the log and for metrics; callers get `unavailable`. */
export type KeySetProblem =
  | "unreachable"
  | "timeout"
  | "closed"
  | "http_status"
  | "too_large"
  | "not_json"
  | "not_metadata"
  | "issuer_mismatch"
  | "key_set_address"
  | "not_a_key_set"
  | "too_many_keys"
  | "unexpected";

export class KeySetError extends Error {
  readonly problem: KeySetProblem;
  /** The answer's HTTP status when the problem is `http_status`. */
  readonly httpStatus: number | undefined;

  constructor(problem: KeySetProblem, options: { httpStatus?: number; cause?: unknown } = {}) {
    super(problem, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "KeySetError";
    this.problem = problem;
    this.httpStatus = options.httpStatus;
  }
}
