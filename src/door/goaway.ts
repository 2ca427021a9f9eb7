import { constants, type Http2Session } from "node:http2";

/** Who does not answer a ping within this time is not waited for: clients of nghttp2 with nothing open answer none after a GOAWAY. */
export const SEND_AWAY_MS_MAX = 1_000;

/** The highest stream id. */
const NO_STREAM_REFUSED = 2 ** 31 - 1;

/**
 * The first half of a graceful end (RFC 9113 section 6.8): a GOAWAY that refuses nothing, after which the client begins no more
 * calls on the connection. It must not name the last call that was taken: Node may send it later, when a write is over, and
 * a call that was taken until then would be refused by it, repeated elsewhere, and done twice. From the moment that it is
 * sent nghttp2 takes no stream more. The client has heard it once it answers a ping; then the connection can be closed, whose
 * own GOAWAY has the last stream right: what came too late is refused as not begun, and every client may repeat it.
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
    session.goaway(constants.NGHTTP2_NO_ERROR, NO_STREAM_REFUSED);
    session.ping((err) => {
      if (err === null) resolve();
    });
  });
}

/** Ends the connections that there are now, without losing a call. Calls in flight go on. */
export async function endSessions(sessions: Iterable<Http2Session>, timeoutMs: number): Promise<void> {
  const open = [...sessions];
  await sendAway(open, timeoutMs);
  for (const session of open) closeSession(session);
}

/** Longer than any call is silent. */
const SILENCE_MS_MAX = 60_000;

/**
 * Closes a connection: it ends with the last of its calls, or once nothing has moved on it for `silenceMsMax`. Who breaks the protocol on a
 * connection that is being closed is not read any more, so that Node does not hear either that he has gone: his socket
 * would be there for ever.
 */
export function closeSession(session: Http2Session, silenceMsMax = SILENCE_MS_MAX): void {
  session.close();
  session.setTimeout(silenceMsMax, () => session.destroy());
}

/** A client that takes its leave (GOAWAY) closes its connection: so do we. */
export function closeWhenLeft(session: Http2Session, silenceMsMax = SILENCE_MS_MAX): void {
  session.once("goaway", () => closeSession(session, silenceMsMax));
}
