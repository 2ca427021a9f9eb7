import assert from "node:assert/strict";
import { test } from "node:test";
import type { KeySet } from "../../src/auth/key-set.ts";
import { cacheVerifiedTokens } from "../../src/auth/token-cache.ts";
import type { Caller } from "../../src/domain/caller.ts";
import { FaultError, unauthenticated, unavailable } from "../../src/domain/fault.ts";
import { manualClock } from "../support/manual-clock.ts";

/** A cache over a verifier that takes every token but "bad", and counts. Tokens end in ten minutes. */
function given(options: { entriesMax?: number; lifetimeMs?: number } = {}) {
  const clock = manualClock();
  const expiresAtMs = clock.now() + (options.lifetimeMs ?? 600_000);
  const world = { verified: [] as string[], changeCount: 0, fault: undefined as FaultError | undefined };
  const gate = { opened: Promise.resolve() };
  const keySets = [{ changeCount: () => 0 }, { changeCount: () => world.changeCount }] as unknown as KeySet[];
  const recall = cacheVerifiedTokens({
    verifyToken: async (token) => {
      world.verified.push(token);
      await gate.opened;
      if (world.fault) throw world.fault;
      return Object.freeze({ subject: token, expiresAtMs }) as Caller;
    },
    keySets,
    now: clock.now,
    ...(options.entriesMax === undefined ? {} : { entriesMax: options.entriesMax }),
  });
  const verify = async (token: string, signal?: AbortSignal) => recall(token, signal);
  return { clock, world, gate, verify, recall };
}

test("a token is verified once and answered from memory after that", async () => {
  const { world, verify } = given();
  const first = await verify("a");
  assert.equal(await verify("a"), first);
  assert.equal((await verify("b")).subject, "b");
  assert.deepEqual(world.verified, ["a", "b"]);
});

test("nobody waits for what is known", async () => {
  const { recall } = given();
  const caller = await recall("a");
  assert.equal(recall("a"), caller);
});

test("a token is verified again after 60 s", async () => {
  const { clock, world, verify } = given();
  await verify("a");
  clock.advance(59_999);
  await verify("a");
  assert.equal(world.verified.length, 1);
  clock.advance(1);
  await verify("a");
  assert.equal(world.verified.length, 2);
});

test("a token is verified again at its end, however short it was kept", async () => {
  const { clock, world, verify } = given({ lifetimeMs: 5_000 });
  await verify("a");
  clock.advance(4_999);
  await verify("a");
  assert.equal(world.verified.length, 1);
  world.fault = unauthenticated("expired");
  clock.advance(1);
  await assert.rejects(verify("a"), unauthenticated("expired"));
});

test("a clock that is set back makes no entry live longer", async () => {
  const { clock, world, verify } = given();
  await verify("a");
  clock.advance(-1);
  await verify("a");
  assert.equal(world.verified.length, 2);
});

test("every entry goes when a key set changes", async () => {
  const { world, verify } = given();
  await verify("a");
  await verify("b");
  world.changeCount++;
  await verify("a");
  await verify("b");
  await verify("a");
  assert.deepEqual(world.verified, ["a", "b", "a", "b"]);
});

test("what is being verified when the keys change is not joined by who comes later", async () => {
  const { gate, world, verify } = given();
  const opening = Promise.withResolvers<void>();
  gate.opened = opening.promise;
  const early = verify("a");
  world.changeCount++;
  const late = verify("a");
  opening.resolve();
  await Promise.all([early, late]);
  assert.equal(world.verified.length, 2);
});

test("what was being verified when the keys changed is not kept", async () => {
  const { gate, world, verify } = given();
  const opening = Promise.withResolvers<void>();
  gate.opened = opening.promise;
  const early = verify("a");
  world.changeCount++;
  // Somebody else is the first to notice the change, and empties the cache before the early one ends.
  const other = verify("b");
  opening.resolve();
  await Promise.all([early, other]);
  await verify("a");
  await verify("b");
  assert.deepEqual(world.verified, ["a", "b", "a"]);
});

test("a refusal is not kept, and neither is an outage", async () => {
  const { world, verify } = given();
  for (const fault of [unauthenticated("signature"), unavailable("key_set", 1_000)]) {
    world.fault = fault;
    await assert.rejects(verify("a"), fault);
  }
  world.fault = undefined;
  assert.equal((await verify("a")).subject, "a");
  assert.equal(world.verified.length, 3);
});

test("a hundred simultaneous checks of one token are one check", async () => {
  const { world, verify } = given();
  const callers = await Promise.all(Array.from({ length: 100 }, () => verify("a")));
  assert.equal(new Set(callers).size, 1);
  assert.equal(world.verified.length, 1);
});

test("a hundred simultaneous checks of one bad token are refused together", async () => {
  const { world, verify } = given();
  world.fault = unauthenticated("signature");
  const outcomes = await Promise.allSettled(Array.from({ length: 100 }, () => verify("a")));
  assert.ok(outcomes.every((outcome) => outcome.status === "rejected"));
  assert.equal(world.verified.length, 1);
});

test("a caller that leaves takes nobody with him", async () => {
  const { gate, world, verify } = given();
  const opening = Promise.withResolvers<void>();
  gate.opened = opening.promise;
  const leaving = new AbortController();
  const left = verify("a", leaving.signal);
  const stayed = verify("a");
  leaving.abort();
  await assert.rejects(left, new FaultError({ kind: "cancelled" }));
  opening.resolve();
  assert.equal((await stayed).subject, "a");
  assert.equal(world.verified.length, 1);
});

test("beyond the bound the least recently used token goes", async () => {
  const { world, verify } = given({ entriesMax: 3 });
  for (const token of ["a", "b", "c", "a", "d"]) await verify(token);
  assert.deepEqual(world.verified, ["a", "b", "c", "d"]);
  for (const token of ["a", "c", "d"]) await verify(token);
  assert.equal(world.verified.length, 4);
  await verify("b");
  assert.equal(world.verified.length, 5);
});
