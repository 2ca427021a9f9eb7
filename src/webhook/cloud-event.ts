import { isOfServiceAccount } from "../domain/audit-event.ts";
import type { OutboxEvent } from "../domain/event.ts";

/** Of every body (CloudEvents 1.0, HTTP binding, structured mode). */
export const CLOUD_EVENT_TYPE = "application/cloudevents+json; charset=utf-8";

/** Wide enough for every sequence, so that they are in the order of their text. */
const SEQUENCE_DIGITS = 19;

/**
 * An event as a JSON CloudEvent, with the extensions for a sequence and for partitions. The same bytes however often it is
 * sent.
 * @param source what sets this installation apart from others: a URI.
 */
export function toCloudEvent(event: OutboxEvent, source: string): string {
  const { organizationId, serviceAccountId, serviceAccountUid, credentialId } = event;
  const isOrganizations = !isOfServiceAccount(serviceAccountUid);
  return JSON.stringify({
    specversion: "1.0",
    id: event.id,
    source,
    type: event.type,
    subject: subjectOf(event),
    time: event.occurredAt.toISOString(),
    datacontenttype: "application/json",
    partitionkey: isOrganizations ? organizationId : serviceAccountUid,
    sequence: String(event.sequence).padStart(SEQUENCE_DIGITS, "0"),
    data: {
      organizationId,
      serviceAccountId,
      serviceAccountUid: isOrganizations ? undefined : serviceAccountUid,
      credentialId,
      ...Object.fromEntries(Object.entries(event.data).map(([name, value]) => [camelCase(name), value])),
    },
  });
}

/** The resource, by its `selfLink`. */
function subjectOf({ serviceAccountId, credentialId }: OutboxEvent): string | undefined {
  if (serviceAccountId === undefined) return undefined;
  const account = `/v1/iam/service-accounts/${serviceAccountId}`;
  return credentialId === undefined ? account : `${account}/credentials/${credentialId}`;
}

const camelCase = (name: string): string =>
  name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
