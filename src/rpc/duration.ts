import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import { invalidArgument } from "../domain/fault.ts";

/** Longest duration that Protobuf knows, about 10,000 years (google/protobuf/duration.proto). */
const SECONDS_MAX = 315_576_000_000n;

/**
 * A duration of a request in milliseconds; digits below are cut off. Binary encodings can carry seconds and nanos that no
 * duration has, JSON cannot. @throws FaultError invalid_argument
 */
export function toMilliseconds(duration: Duration, field: string): number {
  const { seconds, nanos } = duration;
  if (seconds < 0n || seconds > SECONDS_MAX || nanos < 0 || nanos > 999_999_999)
    throw invalidArgument({ field, description: "must be a duration of zero or more" });
  return Number(seconds) * 1000 + Math.floor(nanos / 1e6);
}

/** A duration of a request in whole seconds. @throws FaultError invalid_argument for one with a fraction. */
export function toSeconds(duration: Duration, field: string): number {
  if (duration.nanos !== 0)
    throw invalidArgument({ field, description: "must be a number of whole seconds" });
  return toMilliseconds(duration, field) / 1000;
}

export const fromSeconds = (seconds: number): Duration =>
  create(DurationSchema, { seconds: BigInt(seconds) });
