import type { Http2Session } from "node:http2";
import type { Server } from "@grpc/grpc-js";

interface Tracker {
  addCallStarted(): void;
  addCallSucceeded(): void;
  addCallFailed(): void;
}

/** Private fields of grpc-js 1.14, which is pinned: the test of channelz fails should they move. */
interface Books {
  readonly callTracker: Tracker;
  readonly sessions: ReadonlyMap<Http2Session | undefined, { readonly streamTracker: Tracker }>;
}

/** Enters our calls, which grpc-js does not see, into what it tells of its server and connections by channelz. */
export function channelzBooks(
  server: Server,
): (session: Http2Session | undefined) => (isSuccess: boolean) => void {
  const { callTracker, sessions } = server as unknown as Books;
  return (session) => {
    const streamTracker = sessions.get(session)?.streamTracker;
    const trackers = streamTracker === undefined ? [callTracker] : [callTracker, streamTracker];
    for (const tracker of trackers) tracker.addCallStarted();
    return (isSuccess) => {
      for (const tracker of trackers) isSuccess ? tracker.addCallSucceeded() : tracker.addCallFailed();
    };
  };
}
