import assert from "node:assert/strict";
import { test } from "node:test";
import { schemaOf, variablesOf } from "../../src/config-schema.ts";
import { meaningOf } from "../../src/config-variable.ts";

const MODES = [
  { mode: "development", production: false },
  { mode: "production", production: true },
];

const described = (production: boolean) =>
  Object.values(variablesOf(production, 4)).flatMap((group) =>
    Object.entries(group).map(([name, type]) => ({ name, type, meaning: meaningOf(type) })),
  );

for (const { mode, production } of MODES) {
  test(`in ${mode} every variable that is read stands in one group, with a meaning`, () => {
    const names = described(production).map(({ name }) => name);
    assert.deepEqual(names.toSorted(), Object.keys(schemaOf(production, 4).shape).toSorted());
    assert.deepEqual(
      described(production)
        .filter(({ meaning }) => meaning === undefined)
        .map(({ name }) => name),
      [],
    );
  });

  test(`in ${mode} the bounds that are described are the ones that hold`, () => {
    const bounded = described(production).flatMap(({ name, type, meaning }) => {
      const [, min, max] = /^(\d+)–(\d+)/.exec(meaning?.bounds ?? "") ?? [];
      return min === undefined || max === undefined
        ? []
        : [{ name, type, min: Number(min), max: Number(max) }];
    });
    assert.ok(bounded.length >= 10);
    for (const { name, type, min, max } of bounded) {
      const accepts = (value: number) => type.safeParse(String(value)).success;
      assert.deepEqual([min - 1, min, max, max + 1].map(accepts), [false, true, true, false], name);
    }
  });

  test(`in ${mode} a default that is described is the one that holds`, () => {
    const standards = described(production).flatMap(({ name, type, meaning }) => {
      const [, standard] = /^`([^`]+)`$/.exec(meaning?.standard ?? "") ?? [];
      return standard === undefined || !type.safeParse(undefined).success ? [] : [{ name, type, standard }];
    });
    assert.ok(standards.length >= 9);
    // What may be absent outside production has its default in `toConfig`.
    const inSchema = standards.filter(({ type }) => type.safeParse(undefined).data !== undefined);
    for (const { name, type, standard } of inSchema)
      assert.deepEqual(type.parse(standard), type.parse(undefined), name);
  });
}
