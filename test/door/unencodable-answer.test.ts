import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Callers, openCallers } from "../support/callers.ts";
import { type GivenDoors, GOOD_TOKEN, givenDoors } from "../support/given-doors.ts";

let doors: GivenDoors;
let callers: Callers;
before(async () => {
  // No number of this kind: a handler that has gone wrong.
  const expiresAt = { seconds: "soon" as unknown as bigint, nanos: 0 };
  doors = await givenDoors({ createCredential: async () => ({ expiresAt }) });
  callers = openCallers(doors.grpcAddress);
});
after(async () => {
  callers.close();
  await doors.stop();
});

const overRest = async () => {
  const res = await fetch(`${doors.httpUrl}/v1/regions/global/iam/service-accounts/sa-1/credentials`, {
    method: "POST",
    headers: { authorization: `Bearer ${GOOD_TOKEN}`, "content-type": "application/json" },
    body: "{}",
  });
  return { status: res.status, text: await res.text() };
};

test("an answer that cannot be encoded is a failure of ours, for its caller and in the log", async () => {
  const outcome = await callers.create("sa-1", GOOD_TOKEN);
  assert.equal(outcome.kind === "created" ? "created" : outcome.failure.reason, "INTERNAL");
  const { status, text } = await overRest();
  assert.equal(status, 500);
  assert.ok(!text.includes("soon"), text);

  const lines = doors
    .log()
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line));
  const told = lines.map(({ msg, door, code }) => [msg, door, code]);
  assert.deepEqual(told, [
    ["defect", "grpc", undefined],
    ["call", "grpc", "INTERNAL"],
    ["defect", "rest", undefined],
    ["call", "rest", "INTERNAL"],
  ]);
});
