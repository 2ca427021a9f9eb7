import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { remoteKeySet } from "../../src/auth/remote-key-set.ts";
import { createTokenVerifier, type VerifyToken } from "../../src/auth/verify-token.ts";
import { unauthenticated } from "../../src/domain/fault.ts";
import { startIssuer } from "../support/issuer.ts";
import { manualClock } from "../support/manual-clock.ts";
import { AUDIENCE, makeSigningKey } from "../support/token.ts";
import { algorithmAttacks } from "./attacks/algorithm-attacks.ts";
import { claimAttacks } from "./attacks/claim-attacks.ts";
import {
  type Forge,
  type Target,
  withClaims,
  withHeader,
  withPayloadText,
  withSignature,
} from "./attacks/forge.ts";
import { headerAttacks } from "./attacks/header-attacks.ts";
import { keyAttacks } from "./attacks/key-attacks.ts";
import { payloadAttacks } from "./attacks/payload-attacks.ts";
import { shapeAttacks } from "./attacks/shape-attacks.ts";
import { signatureAttacks } from "./attacks/signature-attacks.ts";

let target: Target;
let verifyToken: VerifyToken;
let close: () => Promise<void>;

before(async () => {
  const clock = manualClock();
  const issuer = await startIssuer({ now: clock.now });
  const main = issuer.key();
  const [second, rsa, stranger] = await Promise.all(
    ["ES256", "RS256", "ES256"].map((alg) => makeSigningKey(alg)),
  );
  assert.ok(second && rsa && stranger);
  issuer.publish([main.jwk, second.jwk, rsa.jwk]);
  const keySet = remoteKeySet(issuer.url, { now: clock.now, after: clock.after });
  const rules = { audiences: [AUDIENCE], tenantClaim: "tenant_id", rolesClaim: "roles", now: clock.now };
  verifyToken = createTokenVerifier({ ...rules, issuers: new Map([[issuer.url, keySet]]) });
  target = { issuer, main, second, rsa, stranger, seconds: clock.now() / 1000 };
  close = async () => {
    keySet.close();
    await issuer.stop();
  };
  await keySet.ready();
  // Spends the one fetch that an unknown key id may cause in 30 s, so that no attack below may cause any.
  await assert.rejects(
    verifyToken(await issuer.sign({ header: { kid: "unknown" } })),
    unauthenticated("key_unknown"),
  );
});

after(() => close());

const attacks = [
  ...algorithmAttacks,
  ...keyAttacks,
  ...headerAttacks,
  ...shapeAttacks,
  ...payloadAttacks,
  ...claimAttacks,
  ...signatureAttacks,
];

for (const [name, refusal, forge] of attacks) {
  test(`refused without a request to anyone: ${name}`, async () => {
    const token = await forge(target);
    const requestCount = target.issuer.requests.length;
    await assert.rejects(verifyToken(token), unauthenticated(refusal));
    assert.equal(target.issuer.requests.length, requestCount);
  });
}

test("what the attacks start from is accepted", async () => {
  const { issuer, second, rsa } = target;
  const forged: Forge[] = [
    withHeader({}),
    withClaims({}),
    withPayloadText(/$/, " "),
    withSignature((same) => same),
  ];
  for (const forge of forged) assert.equal((await verifyToken(await forge(target))).subject, "user-1");
  for (const key of [second, rsa])
    assert.equal((await verifyToken(await issuer.sign({ key }))).subject, "user-1");
});
