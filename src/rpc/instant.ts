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

/**
 * Whether a text in the form of RFC 3339 names a day and a time of day that there are. Lengths of months and leap years
 * are the Gregorian calendar's; what else is wrong with the text is not looked at.
 */
export function isCalendarInstant(text: string): boolean {
  const [, year, month, day, hour] = /^(\d{4})-(\d\d)-(\d\d)T(\d\d)/.exec(text)?.map(Number) ?? [];
  if (year === undefined || month === undefined || day === undefined || hour === undefined) return false;
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day);
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day && hour <= 23;
}
