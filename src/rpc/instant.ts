import { create } from "@bufbuild/protobuf";
import { type Timestamp, TimestampSchema } from "@bufbuild/protobuf/wkt";
import { invalidArgument } from "../domain/fault.ts";

const SECONDS_MIN = -62_135_596_800n; // 0001-01-01T00:00:00Z
const SECONDS_MAX = 253_402_300_799n; // 9999-12-31T23:59:59Z

/**
 * A timestamp of a request as a Date. Digits beyond the millisecond are cut off, towards the past: a credential never
 * lives longer than was asked for. Binary encodings can carry seconds and nanos that no timestamp has (AIP-142,
 * google/protobuf/timestamp.proto); JSON cannot.
 * @throws FaultError invalid_argument
 */
export function toInstant(timestamp: Timestamp | undefined, field: string): Date | undefined {
  if (timestamp === undefined) return undefined;
  const { seconds, nanos } = timestamp;
  if (seconds < SECONDS_MIN || seconds > SECONDS_MAX || nanos < 0 || nanos > 999_999_999) {
    throw invalidArgument({ field, description: "must be a timestamp of the years 1 to 9999" });
  }
  return new Date(Number(seconds) * 1000 + Math.floor(nanos / 1e6));
}

export function toTimestamp(instant: Date): Timestamp {
  const ms = instant.getTime();
  const seconds = Math.floor(ms / 1000);
  return create(TimestampSchema, { seconds: BigInt(seconds), nanos: (ms - seconds * 1000) * 1e6 });
}
