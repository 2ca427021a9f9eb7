import assert from "node:assert/strict";
import { test } from "node:test";
import { credentialIdOf, givenCheck, newSecret } from "./given-check.ts";

const HERE = { address: "192.0.2.1" };
const ELSEWHERE = { address: "192.0.2.2" };
const NOWHERE = { address: undefined };
const THROTTLED = { kind: "throttled", delayMs: 10_000 };

type Check = ReturnType<typeof givenCheck>;

/** Wrong secrets of a credential, each well tagged, as nobody but a thief of our keys could make them. */
async function guess(h: Check, secret: string, times: number, from: { address: string | undefined } = HERE) {
  const answers = [];
  for (let time = 0; time < times; time += 1)
    answers.push(await h.check(newSecret(credentialIdOf(secret)), from));
  return answers;
}

test("after ten guesses at a credential from one place the next are not looked at, for as long as is said", async () => {
  const h = givenCheck();
  const secret = h.givenSecret();
  assert.deepEqual(await guess(h, secret, 10), Array(10).fill({ kind: "refused" }));
  h.did();
  assert.deepEqual(await guess(h, secret, 20), Array(20).fill(THROTTLED));
  assert.deepEqual(h.did(), Array(20).fill("read"));
  assert.deepEqual([...new Set(h.checked)], ["wrong", "throttled"]);
  h.clock.advance(10_000);
  assert.deepEqual(await guess(h, secret, 2), [{ kind: "refused" }, THROTTLED]);
});

test("guesses at a credential that nobody knows are throttled alike", async () => {
  const h = givenCheck();
  const answers = await guess(h, newSecret(), 12);
  assert.deepEqual(answers, [...Array(10).fill({ kind: "refused" }), THROTTLED, THROTTLED]);
});

test("a right secret that is known here is never throttled, whatever comes from its own place", async () => {
  const h = givenCheck();
  const secret = h.givenSecret();
  await h.check(secret);
  await guess(h, secret, 50);
  assert.equal((await h.check(secret, HERE)).kind, "verified");
  // And it is refused rather than throttled once it does not hold.
  h.store(secret, { refusal: "expired" });
  assert.equal((await h.check(secret, HERE)).kind, "refused");
});

test("a right secret that is not known yet is throttled where the guesses come from, and nowhere else", async () => {
  const h = givenCheck();
  const secret = h.givenSecret();
  await guess(h, secret, 50);
  assert.deepEqual(await h.check(secret, HERE), THROTTLED);
  assert.equal((await h.check(secret, ELSEWHERE)).kind, "verified");
  // Known by then, it is taken here as well.
  assert.equal((await h.check(secret, HERE)).kind, "verified");
});

test("a right secret of another credential is taken from the place of the guesses", async () => {
  const h = givenCheck();
  await guess(h, h.givenSecret(), 50);
  assert.equal((await h.check(h.givenSecret(), HERE)).kind, "verified");
});

test("sixty wrong secrets of whatever credentials from one place are enough", async () => {
  const h = givenCheck();
  for (let time = 0; time < 60; time += 1) await h.check(newSecret(), HERE);
  const secret = h.givenSecret();
  assert.deepEqual(await h.check(secret, HERE), { kind: "throttled", delayMs: 1_000 });
  assert.equal((await h.check(h.givenSecret(), ELSEWHERE)).kind, "verified");
  // What this server has not made is another account.
  assert.equal((await h.check("nothing like a secret", HERE)).kind, "refused");
  h.clock.advance(1_000);
  assert.equal((await h.check(secret, HERE)).kind, "verified");
});

test("right secrets are no guesses, however many come from one place for the first time", async () => {
  const h = givenCheck();
  for (let time = 0; time < 200; time += 1) {
    assert.equal((await h.check(h.givenSecret(), HERE)).kind, "verified");
  }
  const secret = h.givenSecret();
  // Each time by another hash, so that it is not known.
  for (let time = 0; time < 20; time += 1) {
    h.store(secret, { credentialUid: `uid-${time}` });
    assert.equal((await h.check(secret, HERE)).kind, "verified");
  }
});

test("all addresses of an IPv6 network are one place", async () => {
  const h = givenCheck();
  const secret = h.givenSecret();
  for (let time = 0; time < 10; time += 1) {
    await guess(h, secret, 1, { address: `2001:db8:0:1::${time + 1}` });
  }
  assert.deepEqual(await h.check(secret, { address: "2001:db8:0:1:ffff::" }), THROTTLED);
  assert.equal((await h.check(secret, { address: "2001:db8:0:2::1" })).kind, "verified");
});

test("from nowhere that is known, guesses at one credential are no matter to another", async () => {
  const h = givenCheck();
  const secret = h.givenSecret();
  for (let time = 0; time < 200; time += 1) await h.check("forged", NOWHERE);
  assert.deepEqual((await guess(h, secret, 11, NOWHERE)).at(-1), THROTTLED);
  assert.equal((await h.check(h.givenSecret(), NOWHERE)).kind, "verified");
});
