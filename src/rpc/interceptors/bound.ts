import type { Interceptor } from "@connectrpc/connect";
import { abortFault } from "../../domain/fault.ts";
import { waitFor } from "../../domain/wait-for.ts";
import { callOf } from "../chain.ts";

/** Nobody waits past the deadline: the answer goes out when the call's signal aborts, whatever the work is doing. */
export const bound: Interceptor = (next) => (req) => {
  const { signal } = callOf(req);
  if (signal.aborted) throw abortFault(signal);
  return waitFor(next(req), signal);
};
