import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import { crc32 } from "node:zlib";
import { FaultError, unavailable } from "../../src/domain/fault.ts";
import { newCredentialId } from "../../src/domain/secret.ts";
import {
  credentialIdOf,
  givenCheck,
  newSecret,
  PREFIX,
  RETIRED_KEY,
  STRANGERS_KEY,
  TAG_KEY,
} from "./given-check.ts";

const BASE62 = [..."0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"];

test("the right secret costs one read and one hash, and from then on one read; each use is recorded", async () => {
  const h = givenCheck();
  const secret = newSecret();
  const principal = h.store(secret);
  assert.deepEqual(await h.check(secret), { kind: "verified", principal });
  assert.deepEqual(h.done.splice(0), [
    { did: "read", question: { credentialId: credentialIdOf(secret), address: "192.0.2.1" } },
    { did: "hash", against: `hash of ${secret}` },
    { did: "used", address: "192.0.2.1", userAgent: "curl/8" },
    { did: "rehash" },
  ]);
  for (let round = 0; round < 3; round += 1) {
    assert.deepEqual(await h.check(secret), { kind: "verified", principal });
    assert.deepEqual(h.did(), ["read", "used", "rehash"]);
  }
  assert.deepEqual(h.checked, Array(4).fill("verified"));
});

test("a secret that is known to match is judged by what the database says at this moment", async () => {
  const h = givenCheck();
  const secret = h.givenSecret();
  await h.check(secret);
  h.store(secret, { refusal: "deleted" });
  assert.deepEqual(await h.check(secret), { kind: "refused" });
  h.did();
  // Another credential, or another hash, under the same id: the match is of no use.
  h.store(secret, { credentialUid: "uid-2" });
  await h.check(secret);
  assert.deepEqual(h.did(), ["read", "hash", "used", "rehash"]);
});

test("a secret whose tag was made by a retired key is taken, one of a stranger's key is not", async () => {
  const h = givenCheck({ tagKeys: [TAG_KEY, RETIRED_KEY] });
  const old = newSecret(undefined, RETIRED_KEY);
  h.store(old);
  assert.equal((await h.check(old)).kind, "verified");
  h.did();
  const forged = newSecret(credentialIdOf(old), STRANGERS_KEY);
  assert.equal((await h.check(forged)).kind, "refused");
  assert.deepEqual(h.did(), []);
});

/** Ways to spoil a secret, each of which says what becomes of it: many texts, and the one word of the refusal. */
const SPOILT: Readonly<
  Record<string, { readonly texts: (secret: string) => string[]; readonly word: string }>
> = {
  "with one wrong character": {
    texts: (secret) => everyPlace(secret, (at) => BASE62.map((char) => replaced(secret, at, char))),
    word: "malformed",
  },
  truncated: {
    texts: (secret) => everyPlace(secret, (at) => [secret.slice(0, at), secret.slice(at + 1)]),
    word: "malformed",
  },
  lengthened: {
    texts: (secret) =>
      everyPlace(secret, (at) => ["0", "A", "_", " ", "\n"].map((char) => inserted(secret, at, char))),
    word: "malformed",
  },
  "with the case of one letter changed": {
    texts: (secret) => everyPlace(secret, (at) => [replaced(secret, at, swapped(secret.charAt(at)))]),
    word: "malformed",
  },
  "with one wrong character under a right checksum": {
    texts: (secret) =>
      everyPlace(secret.slice(33, -6), (at) =>
        BASE62.map((char) => resummed(replaced(secret, at + 33, char))),
      ),
    word: "forged",
  },
  "with another credential's id under a right checksum": {
    texts: (secret) =>
      Array.from({ length: 500 }, () =>
        resummed(secret.replace(credentialIdOf(secret), newCredentialId(randomBytes))),
      ),
    word: "forged",
  },
  "with a tag by another key": {
    texts: (secret) => Array.from({ length: 500 }, () => newSecret(credentialIdOf(secret), STRANGERS_KEY)),
    word: "forged",
  },
};
for (const [how, { texts, word }] of Object.entries(SPOILT)) {
  test(`a secret ${how} is refused before the database and argon2, in one and the same way`, async () => {
    const h = givenCheck({ forgeryLimit: { guessesMax: 10_000, refillMs: 1_000 } });
    const secret = h.givenSecret();
    const spoilt = texts(secret).filter((text) => text !== secret);
    for (const text of spoilt) assert.deepEqual(await h.check(text), { kind: "refused" }, text);
    // Of a secret that is all digits only the letters of its beginning have a case.
    assert.ok(spoilt.length >= 9, `${spoilt.length} texts`);
    assert.deepEqual(h.done, []);
    assert.deepEqual([...new Set(h.checked)], [word]);
  });
}

test("those are more than ten thousand texts", () => {
  const secret = newSecret();
  const all = Object.values(SPOILT).flatMap(({ texts }) => texts(secret));
  assert.ok(new Set(all).size >= 10_000, `${new Set(all).size} texts`);
});

test("an unknown credential costs what a wrong secret does: one read and one hash", async () => {
  const h = givenCheck();
  const known = h.givenSecret();
  const answers = [];
  for (const secret of [newSecret(credentialIdOf(known)), newSecret(), newSecret()]) {
    answers.push(await h.check(secret));
    assert.deepEqual(h.did(), ["read", "hash"]);
  }
  assert.deepEqual(answers, Array(3).fill({ kind: "refused" }));
  assert.deepEqual(h.checked, ["wrong", "unknown", "unknown"]);
});

test("a database or a hasher in trouble is no answer about the secret, and no guess", async () => {
  const h = givenCheck({ credentialLimit: { guessesMax: 1, refillMs: 1_000_000 } });
  const secret = h.givenSecret();
  h.faults.read = unavailable("database", 500);
  await assert.rejects(h.check(secret), h.faults.read);
  delete h.faults.read;
  h.faults.hash = new FaultError({ kind: "deadline_exceeded" });
  for (const presented of [secret, newSecret()]) await assert.rejects(h.check(presented), h.faults.hash);
  delete h.faults.hash;
  assert.deepEqual(h.checked, []);
  assert.equal((await h.check(secret)).kind, "verified");
});

test("of an address the database and the records see one spelling, and nothing of what is none", async () => {
  const addresses = {
    "fe80::1%eth0": "fe80::1",
    "::ffff:192.0.2.7": "192.0.2.7",
    "2001:DB8:0::0:1": "2001:db8::1",
    nonsense: undefined,
    "192.0.2.1/8": undefined,
    "192.0.2.1\0": undefined,
  };
  for (const [address, seen] of Object.entries(addresses)) {
    const h = givenCheck();
    const secret = h.givenSecret();
    await h.check(secret, { address });
    await h.check(secret, { address: undefined });
    h.store(secret, { refusal: "expired" });
    await h.check(secret, { address });
    const places = h.done.flatMap((step) =>
      step.did === "read" ? [step.question.address] : "address" in step ? [step.address] : [],
    );
    assert.deepEqual(places, [seen, seen, undefined, undefined, seen, seen], address);
  }
});

const everyPlace = <T>(text: string, at: (place: number) => T[]): T[] =>
  [...text].flatMap((_, place) => at(place));

const replaced = (text: string, at: number, char: string) => text.slice(0, at) + char + text.slice(at + 1);

const inserted = (text: string, at: number, char: string) => text.slice(0, at) + char + text.slice(at);

const swapped = (char: string) => (char === char.toLowerCase() ? char.toUpperCase() : char.toLowerCase());

/** The text with the checksum that belongs to it. */
function resummed(text: string): string {
  const summed = text.slice(0, -6);
  let digits = "";
  for (let rest = crc32(summed); digits.length < 6; rest = Math.floor(rest / 62))
    digits = BASE62[rest % 62] + digits;
  assert.ok(text.startsWith(`${PREFIX}_cs_`));
  return summed + digits;
}
