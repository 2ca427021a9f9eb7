import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { examineConfiguration } from "../../src/cli/doctor/configuration.ts";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { examineRootKey } from "../../src/cli/doctor/root-key.ts";
import { readPartialConfig } from "../../src/config-partial.ts";
import { PRODUCTION, ROOT_KEY } from "../config/given-config.ts";
import { givenDataDir } from "./data-folder.ts";
import { scopeOf } from "./keyturn-command.ts";

type Env = Readonly<Record<string, string | undefined>>;

const scope = scopeOf({ after });
let folder: string;
before(async () => {
  folder = await givenDataDir(scope);
});

/** What is not right in a production that has these root keys. */
function examine(rootKeys: Env): Finding[] {
  const env = { ...PRODUCTION, KEYTURN_ROOT_KEY: undefined, ...rootKeys };
  const config = readPartialConfig(env, { cores: 2, readFile: (path) => readFileSync(path, "utf8") });
  const findings = [...examineConfiguration(env, config), ...examineRootKey(env, config.settings)];
  return findings.filter(({ level }) => level !== "ok");
}

const inFile = (name: string, content: string): Env => {
  const file = join(folder, name);
  writeFileSync(file, content, { mode: 0o600 });
  return { KEYTURN_ROOT_KEY_FILE: file };
};

const DAMAGED: readonly { readonly what: string; readonly rootKeys: () => Env }[] = [
  { what: "a value that is cut off", rootKeys: () => ({ KEYTURN_ROOT_KEY: ROOT_KEY.slice(0, -4) }) },
  { what: "a value that is no base64", rootKeys: () => ({ KEYTURN_ROOT_KEY: `'${ROOT_KEY}'` }) },
  {
    what: "a key that stands there twice",
    rootKeys: () => ({ KEYTURN_ROOT_KEY: `${ROOT_KEY},${ROOT_KEY}` }),
  },
  { what: "a key that can be guessed", rootKeys: () => ({ KEYTURN_ROOT_KEY: ROOT_KEY }) },
  { what: "an empty file", rootKeys: () => inFile("empty", "") },
  {
    what: "a file that is cut off",
    rootKeys: () => inFile("cut", randomBytes(32).toString("base64").slice(0, 20)),
  },
  { what: "a file that is not there", rootKeys: () => ({ KEYTURN_ROOT_KEY_FILE: join(folder, "absent") }) },
  { what: "a folder", rootKeys: () => ({ KEYTURN_ROOT_KEY_FILE: folder }) },
  {
    what: "a value beside a file",
    rootKeys: () => ({ ...inFile("both", ROOT_KEY), KEYTURN_ROOT_KEY: ROOT_KEY }),
  },
];
for (const { what, rootKeys } of DAMAGED) {
  test(`nobody is told to make a root key over ${what}`, () => {
    const found = examine(rootKeys());
    assert.ok(found.some(({ level, where }) => level === "wrong" && where.startsWith("KEYTURN_ROOT_KEY")));
    for (const { todo = "" } of found) assert.doesNotMatch(todo, /openssl|>/);
  });
}

test("who has no root key yet is told how to make one", () => {
  const [found, ...more] = examine({});
  assert.deepEqual([found?.where, more], ["KEYTURN_ROOT_KEY", []]);
  assert.match(found?.todo ?? "", /openssl rand -base64 32$/);
});

test("a root key file that cannot be read is one finding, with the reason", () => {
  const circle = join(folder, "circle");
  symlinkSync(circle, circle);
  for (const [file, code] of [
    [join(folder, "absent"), "ENOENT"],
    [folder, "EISDIR"],
    // As with a closed folder, which is none to root, nobody can say what mode it has.
    [circle, "ELOOP"],
  ] as const) {
    const [found, ...more] = examine({ KEYTURN_ROOT_KEY_FILE: file });
    assert.deepEqual([found?.where, more], ["KEYTURN_ROOT_KEY_FILE", []]);
    assert.match(found?.what ?? "", new RegExp(`\\(${code}\\)$`));
  }
});

test("a root key that is closed to the doctor is to be opened to it, not restored", () => {
  const env = { ...PRODUCTION, KEYTURN_ROOT_KEY: undefined, KEYTURN_ROOT_KEY_FILE: "/closed/key" };
  const config = readPartialConfig(env, {
    cores: 2,
    readFile: () => {
      throw Object.assign(new Error("permission denied"), { code: "EACCES" });
    },
  });
  const found = examineConfiguration(env, config).filter(({ level }) => level === "wrong");
  assert.deepEqual(
    found.map(({ what, todo }) => [what, todo]),
    [["cannot be read (EACCES)", "let this user read it, and enter its folder"]],
  );
});
