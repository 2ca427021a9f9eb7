import assert from "node:assert/strict";
import { argon2Sync, randomBytes } from "node:crypto";
import { getEventListeners } from "node:events";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import argon2 from "argon2";
import { createHasher, type HasherDeps } from "../../src/auth/hasher.ts";
import { HASH_COST_DEFAULT, HASH_COST_MAX, type HashCost } from "../../src/auth/phc.ts";
import { abortFault, FaultError } from "../../src/domain/fault.ts";

const SECRET = "correct horse battery staple";
const FROZEN =
  "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$gYJZtjEAJqjg26xdLmknq8/bB7MiWPrE9hsYuA+SkIU";

test("a frozen PHC string, computed by OpenSSL's argon2, is made byte for byte", async () => {
  const hasher = realHasher({
    randomBytes: (size) => Uint8Array.from({ length: size }, (_, index) => index),
  });
  assert.equal(await hasher.hash(SECRET), FROZEN);
});

test("OpenSSL's argon2 and the npm library's own verify agree with every PHC string", async () => {
  for (const cost of [HASH_COST_DEFAULT, { memoryKib: 64, passes: 3, lanes: 4 }]) {
    const phc = await realHasher({ cost }).hash(SECRET);
    const [, id, version, params, salt = "", hash = ""] = phc.split("$");
    assert.deepEqual([id, version, params], ["argon2id", "v=19", paramsOf(cost)]);
    const expected = argon2Sync("argon2id", {
      message: SECRET,
      nonce: Buffer.from(salt, "base64"),
      memory: cost.memoryKib,
      passes: cost.passes,
      parallelism: cost.lanes,
      tagLength: 32,
    });
    assert.equal(hash, expected.toString("base64").replace(/=+$/, ""));
    assert.ok(await argon2.verify(phc, SECRET));
  }
});

test("two hashes of one secret share no salt", async () => {
  const hasher = realHasher({ cost: { memoryKib: 8, passes: 1, lanes: 1 } });
  const salts = await Promise.all(
    Array.from({ length: 30 }, async () => (await hasher.hash(SECRET)).split("$")[4]),
  );
  assert.equal(new Set(salts).size, 30);
});

test("verify accepts the secret and nothing near it, by the row's cost and not by its own", async () => {
  const hasher = realHasher({ cost: { memoryKib: 64, passes: 1, lanes: 1 } });
  assert.equal(await hasher.verify(FROZEN, SECRET), true);
  for (const wrong of ["", `${SECRET} `, SECRET.slice(1), SECRET.toUpperCase()]) {
    assert.equal(await hasher.verify(FROZEN, wrong), false);
  }
  assert.equal(await hasher.verify(FROZEN.replace("gYJZ", "gYJa"), SECRET), false);
  assert.equal(await hasher.verify(FROZEN.replace("AAEC", "AAED"), SECRET), false);
});

test("a hash is cheaper when its memory times its passes are less, and of two costs never each", () => {
  const at = (memoryKib: number, passes: number) => ({
    hasher: realHasher({ cost: { memoryKib, passes, lanes: 1 } }),
    phc: FROZEN.replace("m=19456,t=2", `m=${memoryKib},t=${passes}`),
  });
  const standard = at(19_456, 2);
  for (const [memoryKib, passes] of [
    [19_456, 1],
    [9_216, 2],
    [19_455, 2],
    [7_168, 5],
  ] as const) {
    const less = at(memoryKib, passes);
    assert.deepEqual(
      [standard.hasher.isCheaper(less.phc), less.hasher.isCheaper(standard.phc)],
      [true, false],
    );
  }
  for (const [memoryKib, passes] of [
    [19_456, 2],
    [38_912, 1],
    [9_728, 4],
  ] as const) {
    const same = at(memoryKib, passes);
    assert.deepEqual(
      [standard.hasher.isCheaper(same.phc), same.hasher.isCheaper(standard.phc)],
      [false, false],
    );
  }
});

test("a stored string that hash could not have written is a fault, costs no hash and is not quoted", async () => {
  const h = slowHasher({ permits: 1 });
  const swapped = FROZEN.replace("t=2,p=1", "p=1,t=2");
  const strange = [
    "",
    swapped,
    `${FROZEN}\n`,
    FROZEN.replace("argon2id", "argon2i"),
    FROZEN.replace("v=19", "v=16"),
    FROZEN.replace("m=19456", "m=019456"),
    FROZEN.replace("DA0ODw", "DA0ODw=="),
    // The same bytes with unused low bits set.
    FROZEN.replace("DA0ODw", "DA0ODx"),
    FROZEN.slice(0, -1),
  ];
  for (const phc of strange) {
    await assert.rejects(h.hasher.verify(phc, SECRET), (err: unknown) => {
      assert.ok(err instanceof FaultError && err.fault.kind === "internal");
      assert.ok(!String(err.cause).includes("19456"));
      return true;
    });
  }
  assert.equal(h.started.length, 0);
});

test("a hostile row cannot ask for more than the bounds", async () => {
  const { memoryKib, passes, lanes } = HASH_COST_MAX;
  const within = [
    HASH_COST_MAX,
    { memoryKib: 8, passes: 1, lanes: 1 },
    { memoryKib: 32, passes: 1, lanes: 4 },
  ];
  const beyond = [
    { ...HASH_COST_MAX, memoryKib: memoryKib + 1 },
    { ...HASH_COST_MAX, memoryKib: 4_194_304 },
    { ...HASH_COST_MAX, passes: passes + 1 },
    { ...HASH_COST_MAX, lanes: lanes + 1 },
    { memoryKib: 31, passes: 1, lanes: 4 },
    { memoryKib: 8, passes: 0, lanes: 1 },
    { memoryKib: 8, passes: 1, lanes: 0 },
  ];
  const h = slowHasher({ permits: 1 });
  for (const cost of beyond) {
    await assert.rejects(
      h.hasher.verify(FROZEN.replace("m=19456,t=2,p=1", paramsOf(cost)), SECRET),
      FaultError,
    );
    assert.throws(() => slowHasher({ permits: 1, cost }), RangeError);
  }
  assert.equal(h.started.length, 0);
  for (const cost of within) {
    const verified = h.hasher.verify(FROZEN.replace("m=19456,t=2,p=1", paramsOf(cost)), SECRET);
    assert.deepEqual(h.started.at(-1)?.cost, cost);
    h.started.at(-1)?.finish();
    assert.equal(await verified, false);
  }
});

test("never more hashes at once than permits, and callers are served in the order they came", async () => {
  const h = slowHasher({ permits: 3, queueMax: 200 });
  const secrets = Array.from({ length: 200 }, (_, index) => String(index));
  const hashes = secrets.map((secret, index) =>
    index % 3 === 0 ? h.hasher.verify(FROZEN, secret) : h.hasher.hash(secret),
  );
  for (let finished = 0; finished < 200; finished++) {
    assert.equal(h.running().length, Math.min(3, 200 - finished));
    assert.equal(h.hasher.stats().inFlight, h.running().length);
    h.running()
      .at(finished % h.running().length)
      ?.finish();
    await nextTurn();
  }
  await Promise.all(hashes);
  assert.deepEqual(
    h.started.map((hash) => hash.secret),
    secrets,
  );
  assert.deepEqual(h.hasher.stats(), { inFlight: 0, queued: 0, hashed: 200, shed: 0, abandoned: 0 });
});

test("a queued caller whose signal aborts leaves at once with the signal's fault and is never hashed", async () => {
  const h = slowHasher({ permits: 1 });
  const first = h.hasher.hash("first");
  const deadline = new FaultError({ kind: "deadline_exceeded" });
  const leaving = new AbortController();
  const refused = assert.rejects(h.hasher.hash("gone", leaving.signal), deadline);
  const staying = new AbortController();
  const last = h.hasher.hash("last", staying.signal);
  leaving.abort(deadline);
  await refused;
  assert.deepEqual(h.hasher.stats(), { inFlight: 1, queued: 1, hashed: 0, shed: 0, abandoned: 1 });
  h.finishAll();
  await first;
  assert.equal(getEventListeners(staying.signal, "abort").length, 0);
  h.finishAll();
  await last;
  assert.deepEqual(
    h.started.map((hash) => hash.secret),
    ["first", "last"],
  );
});

test("a caller whose signal has aborted already is not hashed, even with a permit free", async () => {
  const h = slowHasher({ permits: 1 });
  const signal = AbortSignal.abort();
  await assert.rejects(h.hasher.hash("gone", signal), abortFault(signal));
  await assert.rejects(h.hasher.verify(FROZEN, "gone", signal), abortFault(signal));
  assert.deepEqual([h.started.length, h.hasher.stats().abandoned], [0, 2]);
});

test("the signal is asked right before the hash, even when its event was withheld from the queue", async () => {
  const h = slowHasher({ permits: 1 });
  const first = h.hasher.hash("first");
  const caller = new AbortController();
  caller.signal.addEventListener("abort", (event) => event.stopImmediatePropagation());
  const refused = assert.rejects(h.hasher.hash("gone", caller.signal), FaultError);
  const last = h.hasher.hash("last");
  caller.abort();
  h.finishAll();
  await Promise.all([first, refused]);
  h.finishAll();
  await last;
  assert.deepEqual(
    h.started.map((hash) => hash.secret),
    ["first", "last"],
  );
});

test("a full queue sheds with a retry delay of queue times hash time over permits, within bounds", async () => {
  const delays: number[] = [];
  for (const { hashMs, random } of [
    { hashMs: 20, random: 0 },
    { hashMs: 20, random: 0.999 },
    { hashMs: 0, random: 0 },
    { hashMs: 10_000, random: 0 },
    { hashMs: 10_000, random: 0.999 },
  ]) {
    const h = slowHasher({ permits: 2, queueMax: 32, random: () => random });
    for (let warm = 0; warm < 100; warm++) {
      const hash = h.hasher.hash("warm");
      h.clock.nowMs += hashMs;
      h.finishAll();
      await hash;
    }
    const waiting = Array.from({ length: 34 }, () => h.hasher.hash("x"));
    await assert.rejects(h.hasher.hash("shed"), (err: unknown) => {
      assert.ok(err instanceof FaultError && err.fault.kind === "unavailable");
      assert.deepEqual([err.fault.part, err.fault.inDoubt], ["hash_queue", false]);
      delays.push(err.fault.retryDelayMs);
      return true;
    });
    assert.deepEqual(h.hasher.stats(), { inFlight: 2, queued: 32, hashed: 100, shed: 1, abandoned: 0 });
    for (let round = 0; round < 17; round++) {
      h.finishAll();
      await nextTurn();
    }
    await Promise.all(waiting);
  }
  assert.deepEqual(delays, [320, 480, 50, 1_333, 1_999]);
});

test("a place in the queue that was given up can be taken by another", async () => {
  const h = slowHasher({ permits: 1, queueMax: 1 });
  const first = h.hasher.hash("first");
  const caller = new AbortController();
  const refused = assert.rejects(h.hasher.hash("gone", caller.signal), FaultError);
  caller.abort();
  const next = h.hasher.hash("next");
  await refused;
  h.finishAll();
  await first;
  h.finishAll();
  await next;
  assert.equal(h.hasher.stats().shed, 0);
});

test("a hash that fails rejects its own caller and frees its permit", async () => {
  const h = slowHasher({ permits: 1 });
  const failure = new Error("out of memory");
  const failing = assert.rejects(h.hasher.hash("failing"), failure);
  const next = h.hasher.hash("next");
  h.started[0]?.fail(failure);
  await failing;
  h.finishAll();
  await next;
  assert.deepEqual(h.hasher.stats(), { inFlight: 0, queued: 0, hashed: 1, shed: 0, abandoned: 0 });
});

test("an idle hash starts only with a permit free and nobody waiting, and the next permit goes to who waits", async () => {
  const h = slowHasher({ permits: 1 });
  const idle = h.hasher.tryHashIdle("idle");
  assert.ok(idle);
  assert.equal(h.hasher.tryHashIdle("second"), undefined);
  const foreground = h.hasher.hash("foreground");
  assert.equal(h.hasher.tryHashIdle("third"), undefined);
  h.finishAll();
  await idle;
  assert.equal(h.hasher.tryHashIdle("fourth"), undefined);
  h.finishAll();
  await foreground;
  assert.deepEqual(
    h.started.map((hash) => hash.secret),
    ["idle", "foreground"],
  );
  assert.ok(h.hasher.tryHashIdle("fifth"));
  h.finishAll();
});

test("the wait in the queue is told in milliseconds, once for every foreground hash", async () => {
  const waits: number[] = [];
  const h = slowHasher({ permits: 1, onWait: (waitMs) => waits.push(waitMs) });
  const first = h.hasher.hash("first");
  const second = h.hasher.hash("second");
  h.clock.nowMs += 21;
  h.finishAll();
  await first;
  h.finishAll();
  await second;
  await finished(h, h.hasher.tryHashIdle("idle"));
  assert.deepEqual(waits, [0, 21]);
});

interface SlowHash {
  readonly secret: string;
  readonly cost: HashCost;
  finish(): void;
  fail(err: Error): void;
}

/** A hasher whose hashes end when the test says so. */
function slowHasher(deps: Partial<HasherDeps> & { permits: number }) {
  const clock = { nowMs: 0 };
  const started: SlowHash[] = [];
  const ended = new Set<SlowHash>();
  const hasher = createHasher({
    randomBytes,
    now: () => clock.nowMs,
    random: () => 0,
    rawHash: (secret, _salt, cost) =>
      new Promise((resolve, reject) => {
        const end = (then: () => void) => () => {
          ended.add(hash);
          then();
        };
        const fail = (err: Error) => end(() => reject(err))();
        const hash: SlowHash = { secret, cost, finish: end(() => resolve(Buffer.alloc(32, 1))), fail };
        started.push(hash);
      }),
    ...deps,
  });
  const running = () => started.filter((hash) => !ended.has(hash));
  const finishAll = () => {
    for (const hash of running()) hash.finish();
  };
  return { hasher, clock, started, running, finishAll };
}

async function finished<T>(h: { finishAll(): void }, hash: Promise<T> | undefined): Promise<T | undefined> {
  h.finishAll();
  return await hash;
}

function realHasher(deps: Partial<HasherDeps>) {
  return createHasher({
    permits: 2,
    randomBytes,
    now: () => performance.now(),
    random: Math.random,
    ...deps,
  });
}

const paramsOf = (cost: HashCost): string => `m=${cost.memoryKib},t=${cost.passes},p=${cost.lanes}`;
