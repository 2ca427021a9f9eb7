import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { createSecretKey, randomBytes, randomInt } from "node:crypto";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { format, inspect, promisify } from "node:util";
import { createHasher } from "../../src/auth/hasher.ts";
import { createMint, type MintDeps, type Minted } from "../../src/auth/mint.ts";
import { abortFault, FaultError } from "../../src/domain/fault.ts";
import { parseSecret } from "../../src/domain/secret.ts";

const tagKey = createSecretKey(randomBytes(32));

test("a minted secret reads back, carries the tag, and is the one behind its stored hash", async () => {
  const h = givenMint({ poolSize: 1 });
  await h.fill();
  for (let dry = 0; dry < 2; dry++) {
    const taking = h.mint.take();
    h.finishHashes();
    const minted = await taking;
    const parsed = parseSecret(minted.secret, "plt") ?? assert.fail("not a secret");
    assert.ok(parsed.isTaggedBy([tagKey]));
    assert.equal(parsed.credentialId, minted.credentialId);
    const { credentialId, secretHash, hint } = minted.stored;
    assert.deepEqual([credentialId, hint], [minted.credentialId, minted.secret.slice(-4)]);
    const verified = h.hasher.verify(secretHash, minted.secret);
    h.finishHashes();
    assert.equal(await verified, true);
  }
});

test("the pool fills by one hash at a time to its size and then rests", async () => {
  const h = givenMint({ permits: 4 });
  for (let level = 0; level < 64; level++) {
    assert.deepEqual([h.mint.level(), h.running().length, h.timers.length], [level, 1, 0]);
    await h.finishAndSettle();
    if (level < 63) h.fireTimer(0);
  }
  assert.deepEqual([h.mint.level(), h.running().length, h.timers.length], [64, 0, 0]);
});

test("a take from the pool starts no hash; what was taken is made anew a little later, by one timer", async () => {
  const h = givenMint({ poolSize: 3 });
  await h.fill();
  const taken = [await h.mint.take(), await h.mint.take(), await h.mint.take()];
  assert.equal(new Set(taken.map((minted) => minted.secret)).size, 3);
  assert.deepEqual([h.mint.level(), h.running().length], [0, 0]);
  h.fireTimer(25);
  assert.equal(h.running().length, 1);
  await h.fill();
  assert.equal(h.mint.level(), 3);
});

test("a dry pool hashes in the foreground, in the hasher's own queue, and is shed with its fault", async () => {
  const h = givenMint({ permits: 1, queueMax: 2, poolSize: 1 });
  const waiting = [h.mint.take(), h.mint.take()];
  await assert.rejects(h.mint.take(), isUnavailable("hash_queue"));
  await h.fill();
  const taken = await Promise.all(waiting);
  assert.notEqual(taken[0]?.secret, taken[1]?.secret);
});

test("refill lets every foreground caller go first, who waits for the one hash in progress and no more", async () => {
  const h = givenMint({ permits: 1, poolSize: 2 });
  const waiting = [h.mint.take(), h.mint.take(), h.mint.take()];
  await h.finishAndSettle();
  assert.deepEqual([h.mint.level(), h.hasher.stats().queued], [1, 2]);
  for (let served = 1; served <= 3; served++) {
    // While a caller is hashed for, a refill attempt finds the hasher busy and comes back later.
    h.fireTimer(served === 1 ? 0 : 25);
    await nextTurn();
    assert.equal(h.hashes.length, 1 + served);
    assert.equal(h.mint.level(), 1);
    await h.finishAndSettle();
  }
  await Promise.all(waiting);
  h.fireTimer(25);
  await h.finishAndSettle();
  assert.equal(h.mint.level(), 2);
});

test("a busy hasher is asked again by one timer, however many takes come meanwhile", async () => {
  const h = givenMint({ permits: 1, poolSize: 8 });
  await h.fill();
  const foreground = h.hasher.hash("foreground");
  const taken = await Promise.all(Array.from({ length: 8 }, () => h.mint.take()));
  assert.equal(taken.length, 8);
  await nextTurn();
  assert.equal(h.timers.length, 1);
  for (let attempt = 0; attempt < 5; attempt++) {
    h.fireTimer(25);
    await nextTurn();
    assert.equal(h.timers.length, 1);
  }
  assert.equal(h.running().length, 1);
  h.finishHashes();
  await foreground;
});

test("a failing hasher is asked less and less often, tells why, and the pool fills once it works again", async () => {
  const failures: unknown[] = [];
  const h = givenMint({ poolSize: 3, onRefillError: (err) => failures.push(err) });
  for (const delayMs of [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]) {
    h.running()[0]?.fail(new Error("out of memory"));
    await nextTurn();
    assert.deepEqual([h.mint.level(), h.running().length], [0, 0]);
    h.fireTimer(delayMs);
  }
  assert.equal(failures.length, 11);
  await h.finishAndSettle();
  h.fireTimer(0);
  h.running()[0]?.fail(new Error("out of memory"));
  await nextTurn();
  h.fireTimer(100);
  await h.fill();
  assert.equal(h.mint.level(), 3);
});

test("a hasher or a source of randomness that throws at once leaves no unhandled rejection", async () => {
  const broken = () => {
    throw new Error("broken");
  };
  for (const deps of [{ hasher: { hash: broken, tryHashIdle: broken } }, { randomBytes: broken }]) {
    const h = givenMint(deps);
    await nextTurn();
    h.fireTimer(100);
    await nextTurn();
    h.fireTimer(200);
    await assert.rejects(h.mint.take(), /broken/);
    await h.mint.close();
  }
});

test("what is given back is taken next, at the cost of no hash", async () => {
  const h = givenMint({ poolSize: 1 });
  const taking = h.mint.take();
  await h.finishAndSettle();
  const minted = await taking;
  await h.fill();
  const pooled = await h.mint.take();
  h.mint.giveBack(minted);
  assert.equal(await h.mint.take(), minted);
  assert.notEqual(pooled, minted);
});

test("nothing is pooled twice: not given back twice, nor a copy, nor beyond the pool's size", async () => {
  const h = givenMint({ poolSize: 3 });
  await h.fill();
  const [one, two] = [await h.mint.take(), await h.mint.take()];
  h.mint.giveBack({ ...one, secret: one.secret });
  assert.equal(h.mint.level(), 1);
  h.mint.giveBack(one);
  h.mint.giveBack(one);
  assert.equal(h.mint.level(), 2);
  await h.fill();
  h.mint.giveBack(two);
  assert.equal(h.mint.level(), 3);
});

test("whatever is taken and given back in whatever order, no secret is out twice and the pool keeps its size", async () => {
  const h = givenMint({ poolSize: 4 });
  const out = new Set<Minted>();
  const returned: Minted[] = [];
  const moves = [
    async () => {
      const taking = h.mint.take();
      await h.finishAndSettle();
      const minted = await taking;
      assert.ok(!out.has(minted));
      out.add(minted);
    },
    async () => {
      for (const minted of [...out].slice(-1)) {
        out.delete(minted);
        returned.push(minted);
        h.mint.giveBack(minted);
      }
    },
    async () => {
      const again = returned[randomInt(returned.length + 1)];
      if (again !== undefined && !out.has(again)) h.mint.giveBack(again);
    },
    async () => {
      h.timers.shift()?.call();
      await h.finishAndSettle();
    },
  ];
  for (let step = 0; step < 5_000; step++) {
    await moves[randomInt(moves.length)]?.();
    assert.ok(h.mint.level() <= 4);
  }
  const secrets = [...out].map((minted) => minted.secret);
  assert.equal(new Set(secrets).size, secrets.length);
});

test("a caller who has gone takes nothing from the pool", async () => {
  const h = givenMint({ poolSize: 1 });
  await h.fill();
  const signal = AbortSignal.abort();
  await assert.rejects(h.mint.take(signal), abortFault(signal));
  assert.equal(h.mint.level(), 1);
});

test("a caller who goes while waiting costs no hash; one who goes during the hash leaves it to the pool", async () => {
  const h = givenMint({ permits: 1, poolSize: 2 });
  const caller = new AbortController();
  const deadline = new FaultError({ kind: "deadline_exceeded" });
  const waiting = assert.rejects(h.mint.take(caller.signal), deadline);
  caller.abort(deadline);
  await waiting;
  await h.finishAndSettle();
  assert.deepEqual([h.hashes.length, h.mint.level()], [1, 1]);

  const ready = await h.mint.take();
  const late = new AbortController();
  const hashing = assert.rejects(h.mint.take(late.signal), deadline);
  assert.equal(h.running().length, 1);
  late.abort(deadline);
  await h.finishAndSettle();
  await hashing;
  assert.equal(h.mint.level(), 1);
  assert.notEqual((await h.mint.take()).secret, ready.secret);
});

test("close waits for the hash in progress, drops every entry, and nothing goes in or out after it", async () => {
  const h = givenMint({ poolSize: 4 });
  for (let filled = 0; filled < 2; filled++) {
    await h.finishAndSettle();
    h.fireTimer(0);
  }
  const lent = await h.mint.take();
  assert.deepEqual([h.mint.level(), h.running().length], [1, 1]);
  let isClosed = false;
  const closing = h.mint.close().then(() => {
    isClosed = true;
  });
  await nextTurn();
  assert.deepEqual([isClosed, h.mint.level()], [false, 0]);
  h.finishHashes();
  await closing;
  h.mint.giveBack(lent);
  await assert.rejects(h.mint.take(), isUnavailable("draining"));
  assert.deepEqual([h.mint.level(), h.timers.length, h.running().length], [0, 0, 0]);
});

test("close calls off the timer of the next refill", async () => {
  const h = givenMint({ poolSize: 4 });
  await h.finishAndSettle();
  assert.equal(h.timers.length, 1);
  await h.mint.close();
  assert.deepEqual([h.timers.length, h.hashes.length], [0, 1]);
});

test("no way of printing, spreading or cloning a minted secret shows it", async () => {
  const h = givenMint({ poolSize: 1 });
  await h.fill();
  const minted = await h.mint.take();
  const copy = structuredClone({ ...minted });
  const printed = [
    inspect(minted),
    inspect({ deep: [minted] }, { depth: 9, showHidden: true }),
    inspect(minted, { customInspect: false }),
    format("%s %o %O %j", minted, minted, minted, minted),
    JSON.stringify({ minted }),
    `${minted} ${Object.entries(minted)}`,
    inspect(copy, { showHidden: true, depth: 9 }),
    inspect(h.mint, { showHidden: true, depth: 9 }),
  ];
  for (const text of printed) assert.ok(!text.includes(minted.secret.slice(33, 43)), text);
  assert.ok(printed[0]?.includes(minted.credentialId));
  assert.ok(!printed[0]?.includes("argon2id"));
});

test("a process with nothing else to do ends after the hash in progress, its pool unfilled", async () => {
  const script = `
    import { createSecretKey, randomBytes } from "node:crypto";
    import { createHasher } from ${JSON.stringify(import.meta.resolve("../../src/auth/hasher.ts"))};
    import { createMint } from ${JSON.stringify(import.meta.resolve("../../src/auth/mint.ts"))};
    const hasher = createHasher({ permits: 2, randomBytes, now: () => performance.now(), random: Math.random });
    const mint = createMint({ hasher, prefix: "plt", tagKey: createSecretKey(randomBytes(32)), randomBytes });
    process.on("exit", () => process.stdout.write(String(mint.level())));
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
  assert.ok(Number(stdout) <= 2, stdout);
});

interface PendingHash {
  finish(): void;
  fail(err: Error): void;
}

/** A mint over a real hasher whose hashes end, and whose timers go off, when the test says so. */
function givenMint(options: Partial<MintDeps> & { permits?: number; queueMax?: number }) {
  const { permits = 2, queueMax = 32, ...deps } = options;
  const hashes: PendingHash[] = [];
  const ended = new Set<PendingHash>();
  const timers: { call: () => void; delayMs: number }[] = [];
  const hasher = createHasher({
    permits,
    queueMax,
    randomBytes,
    now: () => 0,
    random: () => 0,
    rawHash: (secret) =>
      new Promise((resolve, reject) => {
        const end = (then: () => void) => {
          ended.add(hash);
          then();
        };
        const finish = () => end(() => resolve(Buffer.from(secret.slice(-32))));
        const hash: PendingHash = { finish, fail: (err) => end(() => reject(err)) };
        hashes.push(hash);
      }),
  });
  const startTimer = (call: () => void, delayMs: number) => {
    const timer = { call, delayMs };
    timers.push(timer);
    return () => {
      if (timers.includes(timer)) timers.splice(timers.indexOf(timer), 1);
    };
  };
  const mint = createMint({ hasher, prefix: "plt", tagKey, randomBytes, startTimer, ...deps });
  const running = () => hashes.filter((hash) => !ended.has(hash));
  const finishHashes = () => {
    for (const hash of running()) hash.finish();
  };
  const finishAndSettle = async () => {
    finishHashes();
    await nextTurn();
  };
  /** Fires the one timer there is, which must have been set for this long. */
  const fireTimer = (delayMs: number) => {
    assert.deepEqual(
      timers.map((timer) => timer.delayMs),
      [delayMs],
    );
    timers.shift()?.call();
  };
  /** Ends hashes and fires timers until there are none left. */
  const fill = async () => {
    do {
      timers.shift()?.call();
      await finishAndSettle();
    } while (timers.length > 0 || running().length > 0);
  };
  return { mint, hasher, hashes, timers, running, finishHashes, finishAndSettle, fireTimer, fill };
}

const isUnavailable = (part: string) => (err: unknown) => {
  assert.ok(err instanceof FaultError && err.fault.kind === "unavailable");
  assert.equal(err.fault.part, part);
  assert.ok(err.fault.retryDelayMs > 0);
  return true;
};
