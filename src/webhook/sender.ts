import type { OutboxEvent } from "../domain/event.ts";
import { CLOUD_EVENT_TYPE, toCloudEvent } from "./cloud-event.ts";
import { signedHeaders } from "./signature.ts";

/** What became of one attempt, in one word. */
export type AttemptOutcome =
  | "accepted"
  | "redirected"
  | "gone"
  | "throttled"
  /** This event; others may be accepted. */
  | "refused"
  /** Whatever is sent, as it is sent. */
  | "client_error"
  | "server_error"
  | "timed_out"
  | "unreachable";

export interface Attempt {
  readonly outcome: AttemptOutcome;
  /** Absent where there was no answer. */
  readonly httpStatus?: number;
  /** Why there was none, by the code of the system, of TLS or of the HTTP client, where it gives one: ECONNREFUSED, CERT_HAS_EXPIRED. */
  readonly problem?: string;
  /** How long the receiver asks to be left alone, if it does. */
  readonly retryAfterMs: number | undefined;
}

/** Sends an event once. Never rejects. */
export type Send = (event: OutboxEvent, signal: AbortSignal) => Promise<Attempt>;

export interface SenderOptions {
  readonly fetch: typeof globalThis.fetch;
  readonly url: URL;
  /** One signature is made with each. */
  readonly keys: readonly Buffer[];
  /** The `source` of every event. */
  readonly source: string;
  readonly timeoutMs: number;
  readonly now: () => Date;
}

/** Of an answer, which nobody reads: with more than that the connection goes with it. */
const ANSWER_BYTES_MAX = 16 * 1024;
const RETRY_AFTER_MS_MAX = 300_000;
/** Refusals of who sends, where to, or how: no event is the reason (RFC 9110, section 15.5). */
const ABOUT_EVERY_EVENT: ReadonlySet<number> = new Set([401, 403, 404, 405, 407, 408, 421]);

/** An answer counts by its status: 2xx within the time is an acceptance. A redirect is none, and leads nowhere. */
export function createSender({ fetch, url, keys, source, timeoutMs, now }: SenderOptions): Send {
  return async (event, signal) => {
    const body = toCloudEvent(event, source);
    const timeout = AbortSignal.timeout(timeoutMs);
    try {
      const response = await fetch(url, {
        method: "POST",
        redirect: "manual",
        signal: AbortSignal.any([signal, timeout]),
        headers: {
          "content-type": CLOUD_EVENT_TYPE,
          "user-agent": "keyturn",
          ...signedHeaders({ id: event.id, body }, keys, now()),
        },
        body,
      });
      await discard(response).catch(() => {});
      const httpStatus = response.status;
      const outcome = outcomeOf(httpStatus);
      // Standard Webhooks has 410 mean that nothing more is to be sent. Nothing may get lost either: so rarely.
      return {
        outcome,
        httpStatus,
        retryAfterMs: outcome === "gone" ? RETRY_AFTER_MS_MAX : retryAfterMsOf(response),
      };
    } catch (err) {
      const problem = codeOf(err);
      const outcome = timeout.aborted ? "timed_out" : "unreachable";
      return { outcome, ...(problem === undefined ? {} : { problem }), retryAfterMs: undefined };
    }
  };
}

/** `fetch` says only that it has failed; what has is among its causes. Messages may hold the URL, which is nobody's business. */
function codeOf(err: unknown): string | undefined {
  for (let at = err; at instanceof Error; at = at.cause)
    if ("code" in at && typeof at.code === "string" && /^[A-Z][A-Z0-9_]{1,60}$/.test(at.code)) return at.code;
  return undefined;
}

/** Read to its end so that the connection can be used again. */
async function discard(response: Response): Promise<void> {
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.byteLength;
    // Leaving the loop closes the connection.
    if (size > ANSWER_BYTES_MAX) return;
  }
}

function outcomeOf(httpStatus: number): AttemptOutcome {
  if (httpStatus >= 200 && httpStatus < 300) return "accepted";
  if (httpStatus < 400) return "redirected";
  if (httpStatus === 410) return "gone";
  if (httpStatus === 429) return "throttled";
  if (httpStatus >= 500) return "server_error";
  return ABOUT_EVERY_EVENT.has(httpStatus) ? "client_error" : "refused";
}

/** Seconds only: nobody's clock is asked. */
function retryAfterMsOf({ headers }: Response): number | undefined {
  const [seconds] = /^\d{1,9}$/.exec(headers.get("retry-after") ?? "") ?? [];
  return seconds === undefined ? undefined : Math.min(Number(seconds) * 1000, RETRY_AFTER_MS_MAX);
}
