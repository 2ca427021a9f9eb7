import assert from "node:assert/strict";
import { test } from "node:test";
import { createCertificateCallers } from "../../src/auth/certificate-callers.ts";

const NOW = 1_900_000_000_000;
const callerOf = createCertificateCallers(
  new Map([
    ["URI:a:1", { organizationId: "acme", roles: [] }],
    ["URI:a:2", { organizationId: "globex", roles: ["verifier"] }],
  ]),
  () => NOW,
);
const refusal = (refusal: string) => ({ fault: { kind: "unauthenticated", refusal } });

test("a name that stands twice in a certificate is one name", () => {
  const caller = callerOf({ names: ["URI:a:2", "DNS:b", "URI:a:2"], expiresAtMs: NOW + 1 });
  assert.deepEqual(caller, {
    issuer: "mtls",
    subject: "URI:a:2",
    organizationId: "globex",
    roles: ["verifier"],
    expiresAtMs: NOW + 1,
  });
});

test("a certificate holds until its end and not at it, whenever its connection was made", () => {
  for (const expiresAtMs of [NOW, NOW - 1, Number.NaN])
    assert.throws(() => callerOf({ names: ["URI:a:1"], expiresAtMs }), refusal("expired"));
});

test("a certificate that stands for two callers stands for none", () => {
  const names = ["URI:a:1", "URI:a:2"];
  assert.throws(() => callerOf({ names, expiresAtMs: NOW + 1 }), refusal("certificate"));
});

test("without a known name there is no caller, whatever else is wrong", () => {
  assert.equal(callerOf({ names: ["URI:a:3"], expiresAtMs: NOW - 1 }), undefined);
  assert.equal(callerOf({ names: [], expiresAtMs: NOW }), undefined);
});
