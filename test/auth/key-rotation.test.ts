import assert from "node:assert/strict";
import { test } from "node:test";
import { unavailable } from "../../src/domain/fault.ts";
import { givenKeySet } from "../support/key-set.ts";
import { makeSigningKey } from "../support/token.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;

test("a set is refreshed in the background while callers go on with the old one", async (t) => {
  const { issuer, keySet, clock, keyRequestCount } = await givenKeySet(t, {
    deps: { after: () => () => undefined },
  });
  const kid = issuer.key().id;
  await keySet.ready();
  clock.advance(10 * MINUTE - 1);
  await keySet.keyFor(kid);
  assert.equal(keyRequestCount(), 1);
  clock.advance(1);
  issuer.behave("hang");
  const asked = issuer.nextRequest();
  assert.ok(await keySet.keyFor(kid));
  await asked;
  assert.ok(await keySet.keyFor(kid));
});

test("the clock alone refreshes a set, so that a withdrawn key goes while nobody calls", async (t) => {
  const { clock, issuer, keySet, nextRefresh, keyRequestCount } = await givenKeySet(t);
  const withdrawn = issuer.key().id;
  await keySet.ready();
  await issuer.rotate();
  const startMs = clock.now();
  await nextRefresh();
  assert.ok(clock.now() - startMs <= 10 * MINUTE);
  assert.equal(keyRequestCount(), 2);
  assert.equal(await keySet.keyFor(withdrawn), undefined);
});

test("an unknown key id during an outage is an outage: nobody can know", async (t) => {
  const { issuer, keySet, nextRefresh } = await givenKeySet(t);
  await keySet.ready();
  issuer.behave("status_500");
  await nextRefresh();
  await assert.rejects(keySet.keyFor("unknown"), unavailable("key_set", 1_500));
  assert.ok(await keySet.keyFor(issuer.key().id));
  issuer.behave("well");
  await nextRefresh();
  assert.equal(await keySet.keyFor("unknown"), undefined);
});

test("an unknown key id whose own fetch fails is an outage too", async (t) => {
  const { issuer, keySet } = await givenKeySet(t);
  await keySet.ready();
  issuer.behave("status_500");
  await assert.rejects(keySet.keyFor("unknown"), unavailable("key_set", 1_500));
});

test("a new key is found at its first use", async (t) => {
  const { issuer, keySet, keyRequestCount } = await givenKeySet(t);
  const old = issuer.key();
  await keySet.ready();
  const added = await makeSigningKey();
  issuer.publish([old.jwk, added.jwk]);
  const [found, same, kept] = await Promise.all([
    keySet.keyFor(added.id),
    keySet.keyFor(added.id),
    keySet.keyFor(old.id),
  ]);
  assert.equal(found?.id, added.id);
  assert.equal(same, found);
  assert.ok(kept);
  assert.equal(keyRequestCount(), 2);
});

test("a flood of unknown key ids causes one fetch in 30 s", async (t) => {
  const { keySet, clock, keyRequestCount } = await givenKeySet(t);
  await keySet.ready();
  for (let second = 0; second < 90; second++) {
    const found = await Promise.all(
      Array.from({ length: 10 }, (_, at) => keySet.keyFor(`unknown-${second}-${at}`)),
    );
    assert.ok(found.every((key) => key === undefined));
    clock.advance(SECOND);
  }
  assert.equal(keyRequestCount(), 1 + 3);
});

test("an unknown key id that itself caused the first fetch causes no second one", async (t) => {
  const { keySet, keyRequestCount } = await givenKeySet(t);
  assert.equal(await keySet.keyFor("unknown"), undefined);
  assert.equal(keyRequestCount(), 1);
});

/** Holds every answer of the key set back until it is told to let go. */
function heldFetch() {
  const held = { gate: Promise.resolve() };
  const heldBack: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (String(input).endsWith("/keys")) await held.gate;
    return response;
  };
  return { held, deps: { fetch: heldBack, after: () => () => undefined } };
}

for (const isLoaded of [false, true]) {
  test(`a key published after a fetch had begun is found, ${isLoaded ? "in the background" : "at the start"}`, async (t) => {
    const { held, deps } = heldFetch();
    const { clock, issuer, keySet, keyRequestCount } = await givenKeySet(t, { deps });
    const old = issuer.key().id;
    if (isLoaded) await keySet.keyFor(old);
    clock.advance(10 * MINUTE);
    const answering = Promise.withResolvers<void>();
    held.gate = answering.promise;
    const first = keySet.keyFor(old);
    const requestCount = isLoaded ? 2 : 1;
    while (keyRequestCount() < requestCount) await issuer.nextRequest();
    const added = await issuer.rotate();
    const late = Promise.all([keySet.keyFor(added.id), keySet.keyFor(added.id)]);
    answering.resolve();
    assert.ok(await first);
    assert.deepEqual(
      (await late).map((key) => key?.id),
      [added.id, added.id],
    );
    assert.equal(keyRequestCount(), requestCount + 1);
  });
}

test("changeCount grows when keys change, and only then", async (t) => {
  const { issuer, keySet, nextRefresh } = await givenKeySet(t);
  const key = issuer.key();
  await keySet.ready();
  const first = await keySet.keyFor(key.id);
  const counted = keySet.changeCount();
  await nextRefresh();
  assert.equal(keySet.changeCount(), counted);
  assert.equal(await keySet.keyFor(key.id), first, "an unchanged key is not imported again");

  const added = await makeSigningKey();
  issuer.publish([added.jwk, key.jwk]);
  await nextRefresh();
  assert.equal(keySet.changeCount(), counted + 1);

  issuer.publish([key.jwk, added.jwk]);
  await nextRefresh();
  assert.equal(keySet.changeCount(), counted + 1, "another order is no change");

  issuer.publish([{ ...(await makeSigningKey()).jwk, kid: key.id }, added.jwk]);
  await nextRefresh();
  assert.equal(keySet.changeCount(), counted + 2, "another key under the same id is one");

  issuer.publish([]);
  await nextRefresh();
  assert.equal(keySet.changeCount(), counted + 3);
  assert.equal(await keySet.keyFor(key.id), undefined);
});
