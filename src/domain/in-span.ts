import { FaultError } from "./fault.ts";
import type { Span } from "./span.ts";

/** Does work that has a span of its own: it ends with the work, as that ended. Without one it is the work and nothing else. */
export async function inSpan<T>(span: Span | undefined, work: () => Promise<T>): Promise<T> {
  if (span === undefined) return work();
  let failure: string | undefined;
  try {
    return await span.within(work);
  } catch (err) {
    failure = failureOf(err);
    throw err;
  } finally {
    span.end(failure);
  }
}

/** Never the message: it may quote anything. */
const failureOf = (err: unknown): string => (err instanceof FaultError ? err.fault.kind : "internal");
