import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import type { Random } from "../../test/model/random.ts";

/** Requests that are made from a descriptor and then spoilt, more or less. */
export interface Fuzz {
  text(): string;
  /** A body in JSON, or nearly. */
  json(desc: DescMessage): Buffer;
  /** A message in the binary encoding, or nearly. */
  binary(desc: DescMessage): Buffer;
  /** One member of a query, in the form that a query has. */
  parameter(desc: DescMessage): string;
  /** The same with a few bytes changed, cut, doubled or put in. */
  spoilt(bytes: Uint8Array): Buffer;
}

const TEXTS = [
  "",
  " ",
  "sa-one",
  "SA-ONE",
  "-",
  "..",
  "%2e%2e%2f",
  "a/b",
  "a:rotate",
  "' or 1=1 --",
  "\\",
  "\u0000",
  "a\u0000b",
  "\u007f\u009b31m",
  "a\r\nx-injected: 1",
  "{{7*7}}",
  "<script>",
  "аcme",
  "\ud83d\ude00".repeat(40),
  "e\u0301".repeat(100),
  "\u202e",
  "\ufeff",
  "null",
  "__proto__",
  "constructor",
  "9".repeat(400),
  "x".repeat(3_000),
];
const NUMBERS = [0, 1, -1, 50, 500, 501, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, 1.5, 1e308, -0];
const INTEGER_TEXTS = ["0", "-1", "01", "1e3", "9223372036854775807", "9223372036854775808", "0x10", "NaN"];
const INSTANTS = ["2027-01-01T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "0000-01-01T00:00:00Z"];
const BAD_INSTANTS = [
  "2027-02-30T00:00:00Z",
  "2027-01-01",
  "2027-01-01T00:00:60Z",
  "+10000-01-01T00:00:00Z",
  "now",
];
const DURATIONS = ["0s", "60s", "3600.5s", "-1s", "315576000000s", "315576000001s", "1h", "1e3s", "s"];
const MASKS = ["", "displayName", "roles,status", "*", "a..b", "display_name", "roles,roles"];
const DEEP = 60;

/** @param known texts that mean something to the service, such as ids. */
export function fuzzFrom(random: Random, known: readonly string[]): Fuzz {
  const text = () => random.pick(random.chance(0.5) ? known : TEXTS);

  function anything(): unknown {
    const kind = random.below(8);
    if (kind === 0) return null;
    if (kind === 1) return random.chance(0.5);
    if (kind === 2) return random.pick(NUMBERS);
    if (kind === 3) return [];
    if (kind === 4) return { [text()]: text() };
    if (kind === 5) return Array.from({ length: random.below(150) }, () => text());
    if (kind === 6) return Array.from({ length: DEEP }).reduce<unknown>((inner) => [inner], 1);
    return text();
  }
  const wellKnown: Readonly<Record<string, () => unknown>> = {
    "google.protobuf.Timestamp": () => random.pick(random.chance(0.6) ? INSTANTS : BAD_INSTANTS),
    "google.protobuf.Duration": () => random.pick(DURATIONS),
    "google.protobuf.FieldMask": () => random.pick(MASKS),
  };
  function item(field: DescField): unknown {
    if (random.chance(0.15)) return anything();
    if (field.message !== undefined)
      return (wellKnown[field.message.typeName] ?? (() => members(field.message as DescMessage)))();
    if (field.enum !== undefined) {
      const { name, number } = random.pick(field.enum.values);
      return random.pick([name, number, name.slice(field.enum.sharedPrefix?.length).toLowerCase(), 999]);
    }
    if (field.scalar === ScalarType.BOOL) return random.chance(0.5);
    if (field.scalar !== ScalarType.STRING) return random.pick([...NUMBERS, ...INTEGER_TEXTS]);
    return text();
  }
  function value(field: DescField): unknown {
    if (field.fieldKind === "list") return Array.from({ length: random.below(6) }, () => item(field));
    if (field.fieldKind === "map") return { [text()]: item(field), [text()]: item(field) };
    return item(field);
  }
  function members(desc: DescMessage): Record<string, unknown> {
    const fields = desc.fields.filter(() => random.chance(0.6));
    const own = fields.map((field) => [random.chance(0.9) ? field.jsonName : field.name, value(field)]);
    return Object.fromEntries(random.chance(0.1) ? [...own, [text(), anything()]] : own);
  }
  const spoilt = (bytes: Uint8Array): Buffer => {
    const at = random.below(bytes.length + 1);
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)];
    const noise = Buffer.from(Array.from({ length: 1 + random.below(8) }, () => random.below(256)));
    return Buffer.concat(
      random.pick([
        [before],
        [before, noise, after],
        [before, noise, after.subarray(noise.length)],
        [bytes, after],
        [before, before, after],
      ]),
    );
  };
  const maybeSpoilt = (bytes: Buffer): Buffer => (random.chance(0.25) ? spoilt(bytes) : bytes);

  function wire(desc: DescMessage, depth = 0): Buffer {
    const parts = desc.fields.flatMap((field): Uint8Array[] => {
      if (!random.chance(0.6)) return [];
      const isText = field.scalar === ScalarType.STRING;
      const isVarint = field.enum !== undefined || (field.scalar !== undefined && !isText);
      const number = random.chance(0.95) ? field.number : 1 + random.below(2_000);
      if (isVarint) return [varint(number * 8), varint(random.pick([0, 1, 7, 501, 2 ** 31, 2 ** 50]))];
      const inner =
        field.message !== undefined && depth < 5 ? wire(field.message, depth + 1) : Buffer.from(text());
      const type = random.chance(0.95) ? 2 : random.below(8);
      return [varint(number * 8 + type), varint(inner.length), inner];
    });
    return Buffer.concat(parts);
  }
  return {
    text,
    spoilt,
    json: (desc) =>
      maybeSpoilt(Buffer.from(JSON.stringify(random.chance(0.95) ? members(desc) : anything()))),
    binary: (desc) => maybeSpoilt(wire(desc)),
    parameter(desc) {
      const field = desc.fields.length > 0 ? random.pick(desc.fields) : undefined;
      const name = field === undefined || random.chance(0.1) ? text() : field.jsonName;
      const told = field === undefined ? text() : String(item(field));
      const pair = `${encodeURIComponent(name.toWellFormed())}=${encodeURIComponent(told.toWellFormed())}`;
      return random.chance(0.1) ? pair.replace("%", "%z") : pair;
    },
  };
}

function varint(number: number): Uint8Array {
  const bytes: number[] = [];
  let left = BigInt(number);
  for (; left > 127n; left >>= 7n) bytes.push(Number(left & 127n) | 128);
  return Uint8Array.from([...bytes, Number(left)]);
}
