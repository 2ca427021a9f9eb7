import type { Interceptor } from "@connectrpc/connect";
import { FaultError } from "../../domain/fault.ts";
import type { Log } from "../../observability/log.ts";
import { callOf } from "../chain.ts";
import { toConnectError } from "../errors.ts";

/** The error boundary: a fault becomes its status, anything else becomes `internal`, and nothing of the inside leaves. */
export const shield =
  (log: Log): Interceptor =>
  (next) =>
  async (req) => {
    const call = callOf(req);
    try {
      return await next(req);
    } catch (err) {
      const fault = err instanceof FaultError ? err.fault : ({ kind: "internal" } as const);
      call.fault = fault;
      if (fault.kind === "internal" || hasCause(err)) log.failed(call, err);
      throw toConnectError(fault);
    }
  };

/** Something outside failed and is worth a look. What we refuse by ourselves, such as an overload, has no cause. */
function hasCause(err: unknown): boolean {
  return err instanceof FaultError && err.fault.kind === "unavailable" && err.cause !== undefined;
}
