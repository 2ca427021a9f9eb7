/** What is kept of a call that has ended: an allow-list. No message, header, body or error text of a caller is in it. */
export interface CallRecord {
  readonly requestId: string;
  /** Of the trace that the call belongs to, where traces are kept. */
  readonly traceId: string | undefined;
  readonly door: string;
  readonly service: string;
  readonly method: string;
  /** gRPC code by name, `OK` when it succeeded. */
  readonly code: string;
  /** `google.rpc.ErrorInfo.reason`, empty when it succeeded. */
  readonly reason: string;
  /**
   * Which check refused the bearer token, which part was out of reach, or why the secret or token that was asked about was
   * refused. Never sent to the caller.
   */
  readonly inner: string | undefined;
  readonly durationMs: number;
  readonly organizationId: string | undefined;
  readonly issuer: string | undefined;
  readonly subject: string | undefined;
  /** Of the secret or token that was asked about: an id as it stands in there, and nothing beside it. */
  readonly credentialId: string | undefined;
  readonly clientAddress: string | undefined;
}
