import assert from "node:assert/strict";
import { test } from "node:test";
import { FaultError } from "../../src/domain/fault.ts";
import { withTimeLimit } from "../../src/storage/time-limit.ts";

const aborted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));

test("when the time is over the statement is ended, and the database is said to be out of reach", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const statement = withTimeLimit(5_000, aborted);
  t.mock.timers.tick(5_000);
  await assert.rejects(
    statement,
    (err) => err instanceof FaultError && err.fault.kind === "unavailable" && err.fault.part === "database",
  );
});

const ENDS: Readonly<Record<string, () => Promise<unknown>>> = {
  answers: () => Promise.resolve("answer"),
  fails: () => Promise.reject(new Error("failed")),
};
for (const [how, end] of Object.entries(ENDS)) {
  test(`a statement that ${how} leaves no timer behind`, async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    let heard: AbortSignal | undefined;
    const statement = withTimeLimit(5_000, (signal) => {
      heard = signal;
      return end();
    });
    await statement.catch(() => {});
    t.mock.timers.tick(10_000);
    assert.equal(heard?.aborted, false);
  });
}
