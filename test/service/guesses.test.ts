import assert from "node:assert/strict";
import { createSecretKey } from "node:crypto";
import { test } from "node:test";
import { createGuessThrottle } from "../../src/auth/guess-throttle.ts";
import { parseSecret } from "../../src/domain/secret.ts";
import { checkSecret } from "../../src/service/check-secret.ts";
import { rechecksummed } from "../support/forgery.ts";
import { newSecret, PREFIX, RETIRED_KEY, TAG_KEY } from "./given-check.ts";

const GUESSES = 100_000;
const BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/** Where the last separator stands: random part, tag and checksum come behind it. */
const ID_END = newSecret().lastIndexOf("_");

const draw = (below: number) => Math.floor(Math.random() * below);
const drawFrom = (text: string) => text.charAt(draw(text.length));
const other = (char: string, alphabet: string) => drawFrom(alphabet.replace(char, ""));
const put = (text: string, at: number, piece: string, length = piece.length) =>
  text.slice(0, at) + piece + text.slice(at + length);

/** From one to three characters in these places are made others. */
function changed(secret: string, from: number, to: number, alphabet: string): string {
  let text = secret;
  for (let count = 1 + draw(3); count > 0; count -= 1) {
    const at = from + draw(to - from);
    text = put(text, at, other(secret.charAt(at), alphabet));
  }
  return text;
}

/** None of these keeps length, shape and checksum together. */
const KINDS: Readonly<Record<string, (secret: string) => string>> = {
  wrong: (secret) => changed(secret, ID_END + 1, secret.length, BASE62),
  truncated: (secret) => put(secret, draw(secret.length - 1), "", 1 + draw(8)),
  lengthened(secret) {
    const more = Array.from({ length: 1 + draw(8) }, () => drawFrom(`${BASE62}_ -\0é`)).join("");
    return put(secret, draw(secret.length + 1), more, 0);
  },
  "case-changed"(secret) {
    const letters = [...secret.matchAll(/[A-Za-z]/g)].map(({ index }) => index);
    const at = letters[draw(letters.length)] ?? 0;
    const char = secret.charAt(at);
    return put(secret, at, char === char.toUpperCase() ? char.toLowerCase() : char.toUpperCase());
  },
};

/** These get the right checksum afterwards, so that only the tag can tell. */
const RECHECKSUMMED: Readonly<Record<string, (secret: string) => string>> = {
  "random part": (secret) => changed(secret, ID_END + 1, ID_END + 44, BASE62),
  tag: (secret) => changed(secret, ID_END + 44, ID_END + 55, BASE62),
  "credential id": (secret) => changed(secret, ID_END - 20, ID_END, "0123456789abcdefghjkmnpqrstvwxyz"),
};

const tagKeys = [TAG_KEY, createSecretKey(Buffer.alloc(32, 9))];

function reached(what: string) {
  return () => {
    throw new Error(`${what} was reached`);
  };
}

/** A check whose database, whose argon2 and whose records nobody may reach. */
function guardedCheck() {
  const outcomes: Record<string, number> = {};
  const check = checkSecret({
    secretPrefix: PREFIX,
    tagKeys,
    check: reached("the database"),
    matcher: {
      isKnown: reached("the cache"),
      isChecking: reached("the cache"),
      matches: reached("argon2"),
      mismatch: reached("argon2"),
    },
    forgeries: createGuessThrottle({ guessesMax: GUESSES + 1, refillMs: 1_000 }, 1_000, () => 0),
    sources: createGuessThrottle({ guessesMax: 60, refillMs: 1_000 }, 1_000, () => 0),
    credentials: createGuessThrottle({ guessesMax: 10, refillMs: 10_000 }, 1_000, () => 0),
    usage: { used: reached("the last use"), refused: reached("the refused use") },
    rehash: reached("a rehash"),
    onChecked: (outcome) => {
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
    },
  });
  const { signal } = new AbortController();
  return {
    outcomes,
    refuse: async (secret: string) => {
      const asked = { asker: "mint", clientId: undefined, address: "192.0.2.1", userAgent: "x" };
      const presented = { ...asked, secret, tell: () => {} };
      assert.deepEqual(await check(presented, signal), { kind: "refused" });
    },
  };
}

async function guess(distort: (secret: string) => string, assertGuess: (text: string) => void) {
  const guarded = guardedCheck();
  let secret = "";
  for (let guesses = 0; guesses < GUESSES; guesses += 1) {
    if (guesses % 100 === 0) secret = newSecret();
    const text = distort(secret);
    assert.notEqual(text, secret);
    assertGuess(text);
    await guarded.refuse(text);
  }
  return guarded.outcomes;
}

for (const [kind, distort] of Object.entries(KINDS)) {
  test(`of 100,000 secrets that were ${kind} none is read as one, and none reaches database or argon2`, async () => {
    const outcomes = await guess(distort, (text) => assert.equal(parseSecret(text, PREFIX), undefined, text));
    assert.deepEqual(outcomes, { malformed: GUESSES });
  });
}

for (const [part, distort] of Object.entries(RECHECKSUMMED)) {
  test(`of 100,000 secrets with another ${part} and the right checksum none has the tag, and none reaches database or argon2`, async () => {
    const outcomes = await guess(
      (secret) => rechecksummed(distort(secret)),
      (text) => {
        const parsed = parseSecret(text, PREFIX);
        assert.ok(parsed !== undefined && !parsed.isTaggedBy(tagKeys), text);
      },
    );
    assert.deepEqual(outcomes, { forged: GUESSES });
  });
}

test("of 100,000 secrets that another key has tagged none reaches database or argon2", async () => {
  const outcomes = await guess(
    () => newSecret(undefined, RETIRED_KEY),
    () => {},
  );
  assert.deepEqual(outcomes, { forged: GUESSES });
});

test("the right secret does reach the database", async () => {
  await assert.rejects(guardedCheck().refuse(newSecret()), /the database was reached/);
});
