import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { unavailable } from "../../src/domain/fault.ts";
import { startUsageRecorder } from "../../src/storage/usage-recorder.ts";
import { at, givenWrites, principalOf, type SentUse } from "./given-usage.ts";

const ACCOUNT = { organizationId: "org-1", id: "sa-1" };
const INTERVAL_MS = 2_000;
const down = unavailable("database", 500);

/** A recorder whose interval passes when the test says so. */
function given(t: TestContext) {
  t.mock.timers.enable({ apis: ["setInterval"] });
  const { writes, database } = givenWrites();
  const errors: unknown[] = [];
  const recorder = startUsageRecorder(database, {
    intervalMs: INTERVAL_MS,
    onError: (err) => void errors.push(err),
  });
  t.after(() => recorder.stop());
  return {
    recorder,
    writes,
    errors,
    use: (id: string, seconds = 0, address?: string) =>
      recorder.used(principalOf(ACCOUNT, id, at(seconds)), { address, userAgent: "curl/8" }),
    pass: async () => {
      t.mock.timers.tick(INTERVAL_MS);
      await nextTurn();
    },
    /** Ends the last write, and lets the recorder go on. */
    end: async (err?: unknown) => {
      writes.at(-1)?.end(err);
      await nextTurn();
    },
    sent: () => writes.map(({ uses }) => uses.map(wordOf).join(" ")),
  };
}

const wordOf = ({ credential_id, use_count, refused_count }: SentUse) =>
  `${credential_id}:${use_count}${refused_count > 0 ? `/${refused_count}` : ""}`;

test("uses of an interval go in one statement, one element a credential, and nothing goes when there were none", async (t) => {
  const h = given(t);
  await h.pass();
  for (const id of ["a", "b", "a", "a"]) h.use(id);
  h.recorder.refused(principalOf(ACCOUNT, "a", at(0)), { address: "::1", userAgent: undefined }, "expired");
  assert.deepEqual([h.sent(), h.recorder.pending()], [[], 2]);
  await h.pass();
  assert.deepEqual(h.sent(), ["a:3/1 b:1"]);
  await h.end();
  await h.pass();
  assert.deepEqual([h.sent().length, h.recorder.pending()], [1, 0]);
});

test("however busy the server is, it writes once an interval", async (t) => {
  const h = given(t);
  h.use("a");
  await h.pass();
  for (let round = 0; round < 5; round += 1) {
    h.use("a");
    h.use("b");
    await h.end();
  }
  assert.deepEqual(h.sent(), ["a:1"]);
  await h.pass();
  assert.deepEqual(h.sent(), ["a:1", "a:5 b:5"]);
});

test("while a write is under way no other one begins", async (t) => {
  const h = given(t);
  h.use("a");
  await h.pass();
  h.use("a");
  await h.pass();
  await h.pass();
  assert.deepEqual(h.sent(), ["a:1"]);
  await h.end();
  await h.pass();
  assert.deepEqual(h.sent(), ["a:1", "a:1"]);
});

test("of the uses of one credential the newest is written, whichever check ended last", async (t) => {
  const h = given(t);
  h.use("a", 2, "192.0.2.2");
  h.use("a", 1, "192.0.2.1");
  await h.pass();
  const [use] = h.writes[0]?.uses ?? [];
  assert.deepEqual([use?.used_at, use?.used_ip, use?.use_count], [at(2), "192.0.2.2", 2]);
});

test("what could not be written is written later, with all that came since, and the newest wins", async (t) => {
  for (const seconds of [1, 3]) {
    const h = given(t);
    h.use("a", 2, "192.0.2.2");
    h.use("b");
    await h.pass();
    h.use("a", seconds, undefined);
    h.recorder.refused(principalOf(ACCOUNT, "a", at(5)), { address: "::1", userAgent: "x" }, "expired");
    await h.end(down);
    assert.deepEqual([h.errors, h.recorder.pending()], [[down], 2]);
    await h.pass();
    await h.end();
    const [use] = h.writes[1]?.uses.filter(({ credential_id }) => credential_id === "a") ?? [];
    const newest = seconds === 3 ? [at(3), undefined] : [at(2), "192.0.2.2"];
    assert.deepEqual([use?.used_at, use?.used_ip, use?.refused_reason], [...newest, "expired"]);
    assert.deepEqual(h.sent()[1]?.split(" ").sort(), ["a:2/1", "b:1"]);
    assert.equal(h.recorder.pending(), 0);
    t.mock.timers.reset();
  }
});

test("of many credentials a thousand go in one statement, and what a failure in between leaves goes later, once", async (t) => {
  const h = given(t);
  for (let id = 0; id < 2_500; id += 1) h.use(`cred-${id}`);
  await h.pass();
  await h.end();
  assert.deepEqual(
    h.writes.map(({ uses }) => uses.length),
    [1_000, 1_000],
  );
  await h.end(down);
  assert.equal(h.recorder.pending(), 1_500);
  const flushed = h.recorder.flush();
  await nextTurn();
  await h.end();
  await h.end();
  await flushed;
  assert.equal(h.recorder.pending(), 0);
  const acknowledged = [...(h.writes[0]?.uses ?? []), ...h.writes.slice(2).flatMap(({ uses }) => uses)];
  assert.equal(new Set(acknowledged.map(({ credential_id }) => credential_id)).size, 2_500);
  assert.ok(acknowledged.every(({ use_count }) => use_count === 1));
});

test("while the database is away memory is bounded, and those that are gathered already go on to count", async (t) => {
  const h = given(t);
  for (let id = 0; id < 100_050; id += 1) h.use(`cred-${id}`);
  for (const id of ["cred-1", "cred-100010"]) h.use(id, 1);
  assert.equal(h.recorder.pending(), 100_000);
  await h.pass();
  assert.equal(h.writes[0]?.uses[1]?.use_count, 2);
  h.use("cred-later");
  await h.end(down);
  assert.ok(h.recorder.pending() <= 101_000, `${h.recorder.pending()} pending`);
});

test("a flush writes what was gathered before it was asked for, also behind a write that is under way", async (t) => {
  const h = given(t);
  h.use("a");
  await h.pass();
  h.use("b");
  const flushes = Promise.all([h.recorder.flush(), h.recorder.flush(), h.recorder.flush()]);
  await nextTurn();
  assert.deepEqual(h.sent(), ["a:1"]);
  await h.end();
  assert.deepEqual(h.sent(), ["a:1", "b:1"]);
  await h.end();
  await flushes;
  assert.deepEqual([h.sent().length, h.recorder.pending()], [2, 0]);
});

test("a flush behind a write that failed writes that again; one that fails itself says so and keeps all", async (t) => {
  const h = given(t);
  h.use("a");
  await h.pass();
  const flushed = h.recorder.flush();
  await h.end(down);
  assert.deepEqual(h.sent(), ["a:1", "a:1"]);
  const refused = assert.rejects(flushed, down);
  await h.end(down);
  await refused;
  assert.equal(h.recorder.pending(), 1);
});

test("after a stop nothing is written by itself, and a flush still is", async (t) => {
  const h = given(t);
  h.use("a");
  h.recorder.stop();
  await h.pass();
  assert.deepEqual(h.sent(), []);
  const flushed = h.recorder.flush();
  await nextTurn();
  await h.end();
  await flushed;
  assert.deepEqual(h.sent(), ["a:1"]);
});
