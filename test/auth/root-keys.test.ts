import assert from "node:assert/strict";
import { createSecretKey, randomBytes } from "node:crypto";
import { test } from "node:test";
import { inspect } from "node:util";
import { deriveKeys, type KeyRing, parseRootKeys } from "../../src/auth/root-keys.ts";

const counting = Buffer.from(Array.from({ length: 32 }, (_, index) => index));
const one = Buffer.alloc(32, 1).toString("base64");
const two = Buffer.alloc(32, 2).toString("base64");

test("keys are read in order, with or without padding and white space around them", () => {
  const keys = keysOf(` ${one} ,\n${two.replace("=", "")}\n`);
  assert.deepEqual(
    keys.map((key) => key.export()[0]),
    [1, 2],
  );
});

test("every mistake is named by the key's place", () => {
  const short = randomBytes(16).toString("base64");
  const long = randomBytes(33).toString("base64");
  const cases = {
    "": "root key 1 is empty",
    [`${one},`]: "root key 2 is empty",
    [short]: "root key 1 has 16 bytes instead of 32",
    [`${one},${long}`]: "root key 2 has 33 bytes instead of 32",
    "correct horse battery staple": "root key 1 is not standard base64",
    [one.replace("A", "*")]: "root key 1 is not standard base64",
    [`${one}=`]: "root key 1 is not standard base64",
    [`${one.slice(0, 20)} ${one.slice(20)}`]: "root key 1 is not standard base64",
    // The base64url alphabet, and unused low bits set: two spellings of one key must not pass for two keys.
    [Buffer.alloc(32, 0xfb).toString("base64url")]: "root key 1 is not standard base64",
    [`${one.slice(0, 42)}F=`]: "root key 1 is not standard base64",
    [`${one},${two},${one.replace("=", "")}`]: "root key 3 is the same as root key 1",
  };
  for (const [text, problem] of Object.entries(cases)) assert.deepEqual(parseRootKeys(text), { problem });
});

test("a problem never quotes a key", () => {
  for (let round = 0; round < 1_000; round++) {
    const key = randomBytes(round % 64).toString("base64");
    const broken = round % 2 === 0 ? key.replace(/.$/, "!") : `${key},${key}`;
    const read = parseRootKeys(broken);
    assert.ok("problem" in read);
    for (let at = 0; at + 6 <= key.length; at++) assert.ok(!read.problem.includes(key.slice(at, at + 6)));
  }
});

test("every derived key is HKDF-SHA256 of the root key, frozen", () => {
  const derived = Object.entries(deriveKeys([createSecretKey(counting)]));
  // Computed by an independent program from RFC 5869: no salt, info "keyturn secret tag" and so on.
  const expected = {
    secretTag: "6a67f035a4cd8e9a91be5d45b4be38dfe7fbe1b1777ce311acc40fecee57a579",
    pageToken: "b324261d64901dba4c5fac314e4be0c87c7782682de4db76652fec5af62126cd",
    replay: "844d423d026f555fdc723ff29b5cd6c632c0a3d541f9acd5b482e664ab42c9be",
    signingKey: "3e8535c5b3139eead13d5d20bcb48cebd451cf0da00a13f7c23ea3d148255568",
  };
  const actual = derived.map(([purpose, [current]]) => [purpose, current.export().toString("hex")]);
  assert.deepEqual(Object.fromEntries(actual), expected);
});

test("every root key gives one key for each purpose, in the same order, and all differ", () => {
  const rings = Object.values(deriveKeys(keysOf(`${one},${two}`)));
  for (const ring of rings) assert.equal(ring.length, 2);
  const alone = Object.values(deriveKeys(keysOf(two)));
  for (const [index, ring] of rings.entries()) assert.ok(alone[index]?.[0].equals(ring[1] ?? assert.fail()));
  const all = [...rings.flat(), ...keysOf(`${one},${two}`)].map((key) => key.export().toString("hex"));
  assert.equal(new Set(all).size, all.length);
});

test("printing keys shows none", () => {
  const keys = keysOf(one);
  for (const value of [keys, deriveKeys(keys)]) {
    for (const printed of [inspect(value, { depth: 9, showHidden: true }), JSON.stringify(value)]) {
      assert.doesNotMatch(printed, /0101|AQEB|1, 1|1,1/);
    }
  }
});

function keysOf(text: string): KeyRing {
  const read = parseRootKeys(text);
  return "keys" in read ? read.keys : assert.fail(read.problem);
}
