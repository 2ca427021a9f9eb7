import { z } from "zod";

/** What docs/configuration.md says of a variable beside what its schema says itself. */
export interface Meaning {
  readonly meaning: string;
  /** How its value is written, with its unit: `port`, `KiB`, `duration`. Default: `text`. */
  readonly form?: string;
  /** What its value may be, such as `1–200`. */
  readonly bounds?: string;
  /** What holds while it is absent, where its schema has no default, or one that says less. */
  readonly standard?: string;
  /** The same in production, where that differs. */
  readonly standardInProduction?: string;
  /** Whether its value must be kept as a password is. */
  readonly sensitive?: boolean;
}

/** Keeps the meanings beside the schemas that they belong to. */
const MEANINGS = z.registry<Partial<Meaning>>();

/** A variable: how it is read, and what it means. What the form of its values has said already need not be said again. */
export function variable<T extends z.ZodType>(type: T, meaning: Meaning): T {
  return withMeaning(type, meaning);
}

/** A form of values that many variables share. */
export function form<T extends z.ZodType>(type: T, meaning: Partial<Meaning>): T {
  return withMeaning(type, meaning);
}

/** What is known of a variable; undefined for one that nobody has described. */
export function meaningOf(type: z.ZodType): Meaning | undefined {
  const { meaning, ...more } = MEANINGS.get(type) ?? {};
  return meaning === undefined ? undefined : { meaning, ...more };
}

/** On a copy, so that what is said of one variable is not said of another of the same form. */
function withMeaning<T extends z.ZodType>(type: T, meaning: Partial<Meaning>): T {
  const own = type.clone();
  MEANINGS.add(own, { ...MEANINGS.get(type), ...meaning });
  return own;
}
