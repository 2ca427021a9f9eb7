import { inSpan } from "../domain/in-span.ts";
import type { CurrentSpan } from "../domain/span.ts";

/** Lets work in when its turn has come. */
type Enter = <T>(work: () => Promise<T>, signal?: AbortSignal, group?: string) => Promise<T>;

/** The same with a span for each hash, which says how long it stood in the queue. */
export const traceEntries =
  (enter: Enter, currentSpan: CurrentSpan, now: () => number): Enter =>
  (work, signal, group) => {
    const span = currentSpan()?.child("argon2id", "internal");
    if (span === undefined) return enter(work, signal, group);
    const askedAt = now();
    const timed = () => {
      span.set({ "keyturn.wait_ms": Math.round((now() - askedAt) * 1000) / 1000 });
      return work();
    };
    return inSpan(span, () => enter(timed, signal, group));
  };
