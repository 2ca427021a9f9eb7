import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EVERY_FAULT } from "../../scripts/references/every-fault.ts";
import { type Fault, FaultError } from "../../src/domain/fault.ts";
import { statusOf } from "../../src/rpc/errors.ts";
import { DOORS } from "../support/doors.ts";
import { type GivenDoors, GOOD_TOKEN, givenDoors } from "../support/given-doors.ts";

const all = Object.values(EVERY_FAULT).flat();

test("no message of any fault has a character that gRPC implementations escape in different ways", () => {
  for (const fault of all) {
    const { message } = statusOf(fault);
    assert.match(message, /^[\x20-\x7e]+$/, message);
    assert.doesNotMatch(message, /[:,/?#@&=+$;%]/, message);
  }
});

let h: GivenDoors;
let thrown: Fault = { kind: "internal" };
before(async () => {
  h = await givenDoors({
    createCredential: async () => {
      throw new FaultError(thrown);
    },
  });
});
after(() => h.stop());

for (const [at, fault] of all.entries()) {
  test(`fault ${at}, ${fault.kind}, arrives at every door with the same code, message and details`, async () => {
    thrown = fault;
    const expected = statusOf(fault);
    const answers = await Promise.all(
      DOORS.map((door) => door.create(h, { serviceAccountId: "sa-one" }, { token: GOOD_TOKEN })),
    );
    for (const [index, answer] of answers.entries()) {
      const name = DOORS[index]?.name;
      assert.equal(answer.code, expected.code, name);
      assert.equal(answer.message, expected.message, name);
      assert.equal(answer.reason, expected.reason, name);
      assert.equal(answer.details[0]?.["domain"], "keyturn", name);
      assert.deepEqual(answer.details, answers[0]?.details, name);
    }
  });
}

test("what is no fault becomes INTERNAL at every door, and nothing of it leaves", async () => {
  const broken = await givenDoors({
    createCredential: async () => {
      throw new Error("secret inside");
    },
  });
  try {
    for (const door of DOORS) {
      const answer = await door.create(broken, { serviceAccountId: "sa-one" }, { token: GOOD_TOKEN });
      assert.equal(answer.reason, "INTERNAL", door.name);
      assert.doesNotMatch(JSON.stringify(answer), /secret inside/);
    }
    assert.doesNotMatch(broken.log(), /secret inside/);
  } finally {
    await broken.stop();
  }
});
