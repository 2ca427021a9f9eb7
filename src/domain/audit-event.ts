/** Something that was done or refused, as the trail has it. */
export interface AuditEvent {
  readonly occurredAt: Date;
  readonly action: string;
  /** `succeeded`, or the fault in one word. */
  readonly outcome: string;
  readonly serviceAccountId: string | undefined;
  /** Absent when it stands in the chain of the organization. */
  readonly serviceAccountUid: string | undefined;
  readonly credentialId: string | undefined;
  readonly actorIssuer: string;
  readonly actorSubject: string;
  readonly clientAddress: string | undefined;
  readonly requestId: string;
  readonly details: Readonly<Record<string, string>>;
  /** Place in its chain, from 1 on, without a gap. */
  readonly sequence: bigint;
}

/** Which events of an organization to list, and which end first. */
export interface AuditEventFilter {
  readonly serviceAccountId: string | undefined;
  readonly since: Date | undefined;
  readonly until: Date | undefined;
  readonly latestFirst: boolean;
}
