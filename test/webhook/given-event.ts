import { randomUUID } from "node:crypto";
import type { OutboxEvent } from "../../src/domain/event.ts";

/** Something that was told of a credential. */
export const givenEvent = (more: Partial<OutboxEvent> = {}): OutboxEvent => ({
  id: randomUUID(),
  organizationId: "acme",
  serviceAccountUid: "75a75ca6-93fb-4bb2-923c-6961b36f2899",
  sequence: 42n,
  type: "credential.created",
  occurredAt: new Date("2026-11-24T15:00:31.396Z"),
  serviceAccountId: "sa-pipeline-prod",
  credentialId: "cred-8cff40q88ee78y5ssat3",
  data: { expires_at: "2027-02-22T03:52:48.373+00:00", actor: { issuer: "i", subject: "s" } },
  attempts: 1,
  ...more,
});
