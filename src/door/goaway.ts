import type { Http2Session } from "node:http2";

/** Who does not answer a ping within this time is not waited for: clients of nghttp2 with nothing open answer none after a GOAWAY. */
export const SEND_AWAY_MS_MAX = 1_000;

/**
 * The first half of a graceful end (RFC 9113 section 6.8): a GOAWAY, after which the client begins no more calls on the
 * connection. What it had sent before it heard of that is refused as not begun, which every client may repeat elsewhere. It
 * has heard once it answers a ping; then the connection can be closed, and nothing on its way is reset instead of refused.
 * (Node does not offer the GOAWAY that refuses nothing: nghttp2 takes no stream after any that `session.goaway` sends.)
 * Resolves when all have answered, or after `timeoutMs`.
 */
export async function sendAway(sessions: Iterable<Http2Session>, timeoutMs: number): Promise<void> {
  const heard = Promise.all([...sessions].map(goneAway));
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, timeoutMs);
  });
  await Promise.race([heard, late]);
  clearTimeout(timer);
}

function goneAway(session: Http2Session): Promise<void> {
  return new Promise((resolve) => {
    // One that is being destroyed answers no ping any more, but is closed soon. Until then it must not be taken for one that
    // could be closed: nobody would be told of its end.
    session.once("close", () => resolve());
    if (session.destroyed) return;
    session.goaway();
    session.ping((err) => {
      if (err === null) resolve();
    });
  });
}

/** Ends the connections that there are now, without losing a call. Calls in flight go on. */
export async function endSessions(sessions: Iterable<Http2Session>, timeoutMs: number): Promise<void> {
  const open = [...sessions];
  await sendAway(open, timeoutMs);
  for (const session of open) session.close();
}
