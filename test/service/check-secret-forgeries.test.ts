import assert from "node:assert/strict";
import { test } from "node:test";
import { givenCheck, newSecret, STRANGERS_KEY } from "./given-check.ts";

const HERE = { address: "192.0.2.1" };
const ELSEWHERE = { address: "192.0.2.2" };
const THROTTLED = { kind: "throttled", delayMs: 1_000 };

/** Sixty secrets that this server has not made, of both kinds. */
async function forge(h: ReturnType<typeof givenCheck>) {
  for (let time = 0; time < 30; time += 1) {
    assert.equal((await h.check("nothing like a secret", HERE)).kind, "refused");
    assert.equal((await h.check(newSecret(undefined, STRANGERS_KEY), HERE)).kind, "refused");
  }
}

test("sixty malformed or forged secrets from one place are answered, and the next when it is said", async () => {
  const h = givenCheck();
  await forge(h);
  assert.deepEqual(await h.check("nothing like a secret", HERE), THROTTLED);
  assert.deepEqual(await h.check(newSecret(undefined, STRANGERS_KEY), HERE), THROTTLED);
  assert.equal((await h.check("nothing like a secret", ELSEWHERE)).kind, "refused");
  assert.deepEqual(h.did(), []);
  assert.deepEqual([...new Set(h.checked)], ["malformed", "forged", "throttled"]);
  h.clock.advance(1_000);
  assert.equal((await h.check("nothing like a secret", HERE)).kind, "refused");
  assert.deepEqual(await h.check("nothing like a secret", HERE), THROTTLED);
});

test("however many secrets are forged in one place, those that this server made are taken there", async () => {
  const h = givenCheck({ sourceLimit: { guessesMax: 1, refillMs: 1_000 } });
  for (let round = 0; round < 5; round += 1) {
    await forge(h);
    h.clock.advance(60_000);
  }
  await forge(h);
  assert.equal((await h.check(h.givenSecret(), HERE)).kind, "verified");
  assert.equal((await h.check(newSecret(), HERE)).kind, "refused");
});
