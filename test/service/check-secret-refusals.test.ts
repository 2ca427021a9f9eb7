import assert from "node:assert/strict";
import { test } from "node:test";
import type { RefusedUseReason } from "../../src/domain/principal.ts";
import { credentialIdOf, givenCheck, newSecret } from "./given-check.ts";

const REASONS: { readonly [R in RefusedUseReason]: true } = {
  expired: true,
  revoked: true,
  deleted: true,
  pending: true,
  service_account_disabled: true,
  organization_suspended: true,
  address_not_allowed: true,
};

for (const refusal of Object.keys(REASONS) as RefusedUseReason[]) {
  test(`a right secret of a credential that is ${refusal} is refused, and that is remembered and never a use`, async () => {
    const h = givenCheck();
    const secret = h.givenSecret({ refusal });
    assert.deepEqual(await h.check(secret), { kind: "refused" });
    assert.deepEqual(h.done.splice(0).slice(1), [
      { did: "hash", against: `hash of ${secret}` },
      { did: "refused", reason: refusal, address: "192.0.2.1" },
    ]);
    await h.check(secret);
    assert.deepEqual(h.did(), ["read", "refused"]);
    assert.deepEqual(h.checked, [refusal, refusal]);
  });

  test(`a wrong secret of a credential that is ${refusal} is a wrong secret, and nothing is remembered of it`, async () => {
    const h = givenCheck();
    const wrong = newSecret(credentialIdOf(h.givenSecret({ refusal })));
    assert.deepEqual(await h.check(wrong), { kind: "refused" });
    assert.deepEqual(h.did(), ["read", "hash"]);
    assert.deepEqual(h.checked, ["wrong"]);
  });
}

const STRANGERS = [
  { who: "another organization", more: { organizationId: "org-2" }, word: "organization" },
  { who: "an organization of no name", more: { organizationId: "" }, word: "organization" },
  { who: "another account's client id", more: { clientId: "sa-2@org-1.iam" }, word: "client_id" },
  {
    who: "the same account's client id of another organization",
    more: { clientId: "sa-1@org-2.iam" },
    word: "client_id",
  },
  { who: "the client id in other letters", more: { clientId: "SA-1@org-1.iam" }, word: "client_id" },
  { who: "a client id of no name", more: { clientId: "" }, word: "client_id" },
  {
    who: "another organization with the right client id",
    more: { organizationId: "org-2", clientId: "sa-1@org-1.iam" },
    word: "organization",
  },
];
for (const { who, more, word } of STRANGERS) {
  test(`for ${who} a right secret is refused like a wrong one, and nothing is remembered of it`, async () => {
    for (const refusal of [undefined, "expired"] as const) {
      const h = givenCheck();
      const secret = h.givenSecret(refusal === undefined ? {} : { refusal });
      assert.deepEqual(await h.check(secret, more), { kind: "refused" });
      assert.deepEqual(await h.check(newSecret(credentialIdOf(secret)), more), { kind: "refused" });
      assert.deepEqual(h.did(), ["read", "hash", "read", "hash"]);
      assert.deepEqual(h.checked, [word, "wrong"]);
    }
  });
}

test("the right client id and the right organization are taken", async () => {
  const h = givenCheck();
  const secret = h.givenSecret();
  for (const more of [
    { clientId: "sa-1@org-1.iam" },
    { organizationId: "org-1" },
    { clientId: "sa-1@org-1.iam", organizationId: "org-1" },
  ]) {
    assert.equal((await h.check(secret, more)).kind, "verified");
  }
});

test("all refusals are one and the same answer, to the byte", async () => {
  const h = givenCheck();
  const secret = h.givenSecret();
  const answers = [
    await h.check(""),
    await h.check("plt_cs_"),
    await h.check(newSecret()),
    await h.check(newSecret(credentialIdOf(secret))),
    await h.check(h.givenSecret({ refusal: "deleted" })),
    await h.check(secret, { organizationId: "org-2" }),
    await h.check(secret, { clientId: "sa-2@org-1.iam" }),
  ];
  assert.deepEqual(
    answers.map((answer) => JSON.stringify(answer)),
    Array(answers.length).fill('{"kind":"refused"}'),
  );
});
