/** How events are sent, on a clock of the test's own, so that hours pass in no time. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { givenWorld } from "./delivery-world.ts";

const HOUR_MS = 3_600_000;
const queuesOf = (count: number, events: number, name = "account") =>
  Object.fromEntries(Array.from({ length: count }, (_, n) => [`${name}-${n}`, events]));

test("a receiver that is down for an hour is asked about once a minute, and has everything minutes after it is back", async () => {
  const world = givenWorld(queuesOf(200, 5), (_, nowMs) => (nowMs < HOUR_MS ? "unreachable" : "accepted"));
  await world.passUntil(HOUR_MS - 1);
  const attempts = world.sent.length;
  assert.ok(attempts > 30 && attempts < 150, `${attempts} attempts in an hour`);
  assert.ok(world.claims() < 10_000, `${world.claims()} looks into the outbox`);
  assert.equal(world.left(), 1_000);
  await world.passUntil(HOUR_MS + 10 * 60_000);
  assert.equal(world.left(), 0);
  const accepted = world.sent.filter(({ outcome }) => outcome === "accepted");
  assert.equal(accepted.length, 1_000);
  await world.stop();
});

test("events of an account are sent in their order, each after the one before it was accepted", async () => {
  let calls = 0;
  const world = givenWorld(queuesOf(20, 30), () => (++calls % 3 === 0 ? "server_error" : "accepted"));
  await world.passUntil(HOUR_MS);
  assert.equal(world.left(), 0);
  for (const account of Object.keys(queuesOf(20, 0))) {
    const order = world.sent.filter((one) => one.account === account && one.outcome === "accepted");
    assert.deepEqual(
      order.map(({ n }) => n),
      Array.from({ length: 30 }, (_, n) => n),
    );
  }
  await world.stop();
});

test("events that are refused hold up their own accounts, however many those are, and no other", async () => {
  const stuckAccounts = queuesOf(40, 3, "stuck");
  const world = givenWorld({ ...stuckAccounts, ...queuesOf(40, 10) }, ({ serviceAccountUid }) =>
    serviceAccountUid.startsWith("stuck") ? "refused" : "accepted",
  );
  await world.passUntil(HOUR_MS - 2_000);
  assert.equal(world.left(), 120);
  for (const account of Object.keys(stuckAccounts)) {
    const own = world.sent.filter((one) => one.account === account);
    assert.ok(own.every(({ n }) => n === 0));
    assert.ok(own.length > 10 && own.length < 40, `${own.length} attempts in an hour`);
  }
  world.arrive(queuesOf(1, 5, "late"));
  await world.passUntil(HOUR_MS);
  assert.equal(world.left(), 120);
  await world.stop();
});

test("a receiver that fails over some accounts' events has those of others within a minute or two", async () => {
  const world = givenWorld(queuesOf(40, 1, "stuck"), ({ serviceAccountUid }) =>
    serviceAccountUid.startsWith("stuck") ? "server_error" : "accepted",
  );
  await world.passUntil(HOUR_MS);
  world.arrive(queuesOf(3, 2, "late"));
  await world.passUntil(HOUR_MS + 65_000);
  assert.equal(world.left(), 40);
  await world.passUntil(2 * HOUR_MS);
  // None of these was ever sent, as those that come after them were not.
  world.arrive(queuesOf(100, 1, "stuck-later"));
  await world.passUntil(2 * HOUR_MS + 1);
  world.arrive(queuesOf(3, 2, "latest"));
  await world.passUntil(2 * HOUR_MS + 125_000);
  assert.equal(world.left(), 140);
  await world.stop();
});

test("a server with nothing to send looks about once a second", async () => {
  const world = givenWorld({}, () => "accepted");
  await world.passUntil(60_000);
  assert.ok(world.claims() >= 40 && world.claims() <= 130, `${world.claims()}`);
  await world.stop();
});
