/** Something that was done or refused, as the trail has it. */
export interface AuditEvent {
  readonly occurredAt: Date;
  readonly action: string;
  /** `succeeded`, or the fault in one word. */
  readonly outcome: string;
  readonly serviceAccountId: string | undefined;
  /** Absent when it is about none that is known: such events stand in the chains of the organization. */
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

/** The chain of what is about no service account that exists. */
export const ORGANIZATION_CHAIN = "00000000-0000-0000-0000-000000000000";
/** The chain of calls that were refused before anything was looked up. */
export const REFUSED_CALLS_CHAIN = "ffffffff-ffff-ffff-ffff-ffffffffffff";

/** Whether a chain is a service account's, by the UUID that it has. */
export const isOfServiceAccount = (uid: string): boolean =>
  uid !== ORGANIZATION_CHAIN && uid !== REFUSED_CALLS_CHAIN;
