import { create, type DescMessage, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import type { ErrorReason } from "../../gen/keyturn/v1/error_reason_pb.ts";
import type { FieldViolation } from "../domain/fault.ts";

/** A reason as callers see it: the enum's name, which the compiler takes from the proto. */
export type Reason = Exclude<keyof typeof ErrorReason, "UNSPECIFIED">;

const DOMAIN = "keyturn";

/** One `google.rpc` message that says more about an error. */
export interface Detail {
  readonly desc: DescMessage;
  readonly value: Message;
}

/** A detail from the fields of its message. */
export const detail = <Desc extends DescMessage>(desc: Desc, init: MessageInitShape<Desc>): Detail => ({
  desc,
  value: create(desc, init),
});

/** What a caller is told of a fault, whatever the door (AIP-193). */
export interface Status {
  readonly code: Code;
  readonly reason: Reason;
  readonly message: string;
  /** The ErrorInfo first, then whatever says more. */
  readonly details: readonly Detail[];
}

/** A status with its ErrorInfo, whose metadata are the fault's numbers. */
export function status(
  code: Code,
  reason: Reason,
  message: string,
  metadata: Record<string, string> = {},
  ...details: Detail[]
): Status {
  return {
    code,
    reason,
    message,
    details: [detail(ErrorInfoSchema, { reason, domain: DOMAIN, metadata }), ...details],
  };
}

export function badRequest(violations: readonly FieldViolation[]): Detail {
  return detail(BadRequestSchema, { fieldViolations: violations.map((v) => ({ ...v })) });
}

export function retryInfo(delayMs: number): Detail {
  const seconds = Math.floor(delayMs / 1000);
  return detail(RetryInfoSchema, {
    retryDelay: { seconds: BigInt(seconds), nanos: Math.round((delayMs - seconds * 1000) * 1e6) },
  });
}

/** The code by the name that `google.rpc.Code` gives it: `RESOURCE_EXHAUSTED`. */
export function codeName(code: Code): string {
  if (code === Code.Canceled) return "CANCELLED";
  return (Code[code] ?? "Unknown").replace(/(?<=[a-z])(?=[A-Z])/g, "_").toUpperCase();
}
