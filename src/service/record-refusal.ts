import type { CallContext } from "../domain/call-context.ts";
import type { Refusal, WriteRefusal } from "../storage/refusal-recorder.ts";

export interface RecordRefusalDeps {
  readonly writeRefusal: WriteRefusal;
  /** Milliseconds that a refused caller waits at most for his refusal to be written down. */
  readonly timeoutMs: number;
  /** Told when a refusal could not be written down. The call stays refused. */
  readonly onLost: (err: unknown) => void;
}

export type RecordRefusal = (ctx: CallContext, refusal: Refusal) => Promise<void>;

/**
 * Writes a refusal into the trail. Never rejects: a database in trouble must not turn a no into something else. The
 * caller's own going does not end it, or he could keep out of the trail by hanging up.
 */
export const recordRefusal =
  (deps: RecordRefusalDeps): RecordRefusal =>
  async (ctx, refusal) => {
    try {
      await deps.writeRefusal({ ...ctx, signal: AbortSignal.timeout(deps.timeoutMs) }, refusal);
    } catch (err) {
      deps.onLost(err);
    }
  };
