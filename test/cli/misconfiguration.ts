import assert from "node:assert/strict";
import { test } from "node:test";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import type { GivenDoctor } from "./given-doctor.ts";
import { type Scope, scopeOf } from "./keyturn-command.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** Variables that are wrong by themselves, or what makes them so for the time of a test. */
export type Seed = Env | ((scope: Scope, d: GivenDoctor) => Env | Promise<Env>);

/** Something that is not right in a production where all else is. */
export interface Misconfiguration {
  readonly what: string;
  readonly level: Exclude<Finding["level"], "ok">;
  /** The check that finds it, and no other does. */
  readonly check: string;
  /** Where it is said to be. */
  readonly where: string | ((d: GivenDoctor) => string);
  readonly seed: Seed;
}

type Row = readonly [
  what: string,
  check: string,
  where: Misconfiguration["where"],
  seed: Misconfiguration["seed"],
];

const misconfiguration =
  (level: Misconfiguration["level"]) =>
  (...[what, check, where, seed]: Row): Misconfiguration => ({ what, level, check, where, seed });

/** What must be mended. */
export const wrong = misconfiguration("wrong");
/** What somebody may want. */
export const warning = misconfiguration("warning");

/** A test each, by the command itself. `geheim` and `c2hvcnQ` stand for what may not be repeated. */
export function testEach(doctor: () => GivenDoctor, misconfigurations: readonly Misconfiguration[]): void {
  for (const { what, level, check, where, seed } of misconfigurations) {
    const isWrong = level === "wrong";
    test(`${what} is ${isWrong ? "named" : "warned of"}, with its place and what to do`, async (t) => {
      const d = doctor();
      const seeded = typeof seed === "function" ? await seed(scopeOf(t), d) : seed;
      const { status, findings, named, out } = await d.examine(seeded);
      const found = findings.find((finding) => finding.check === check && finding.level !== "ok");
      assert.ok(found, out);
      assert.equal(found.level, level);
      assert.equal(found.where, typeof where === "function" ? where(d) : where);
      assert.ok((found.todo ?? "").length > 5);
      assert.deepEqual(named("wrong"), isWrong ? [check] : [], out);
      assert.equal(status, isWrong ? 1 : 0);
      assert.doesNotMatch(out, /geheim|c2hvcnQ/);
    });
  }
}
