/** Something that was done, or came about, as the webhook is told of it. */
export interface OutboxEvent {
  /** UUID, the same however often it is sent. */
  readonly id: string;
  readonly organizationId: string;
  /** Which queue it stands in: that of a service account, or ORGANIZATION_CHAIN for that of the organization itself. */
  readonly serviceAccountUid: string;
  /** Place in its queue: later ones are greater, with gaps. */
  readonly sequence: bigint;
  readonly type: string;
  readonly occurredAt: Date;
  readonly serviceAccountId: string | undefined;
  readonly credentialId: string | undefined;
  /** What it says besides, in lower snake case. */
  readonly data: Readonly<Record<string, unknown>>;
  /** How often it has been sent, this time included. */
  readonly attempts: number;
}
