import assert from "node:assert/strict";
import {
  createHmac,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
  sign,
} from "node:crypto";
import { before, test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { type AccessTokens, createAccessTokens } from "../../src/auth/access-token.ts";
import type { SigningKey } from "../../src/auth/signing-key.ts";
import { manualClock } from "../support/manual-clock.ts";
import { givenRing, memoryStore } from "../support/signing-keys.ts";

const ISSUER = "https://keyturn.example";
const clock = manualClock();
const seconds = clock.now() / 1000;
const stranger = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;

let tokens: AccessTokens;
let key: SigningKey;
before(async () => {
  const { ring } = await givenRing(memoryStore(clock), { clock });
  key = ring.current();
  const deps = { ring, issuer: () => ISSUER, audience: "keyturn", now: clock.now, randomUUID };
  tokens = createAccessTokens(deps);
});

const encode = (part: string | Uint8Array) => Buffer.from(part).toString("base64url");

const signed = (text: string, by: KeyObject = key.privateKey) =>
  `${text}.${encode(sign("sha256", Buffer.from(text), { key: by, dsaEncoding: "ieee-p1363" }))}`;

type Members = Readonly<Record<string, unknown>>;

const headerText = (more: Members = {}) =>
  JSON.stringify({ alg: "ES256", typ: "at+jwt", kid: key.kid, ...more });

const claims = {
  iss: ISSUER,
  sub: "sa-build@acme.iam",
  aud: "keyturn",
  client_id: "sa-build@acme.iam",
  iat: seconds,
  exp: seconds + 900,
  jti: randomUUID(),
  tenant_id: "acme",
  scope: "organization",
  scope_id: "acme",
  roles: ["reader"],
  principal_type: "service_account",
  credential_id: "cred-0123456789abcdefghjk",
};
const payloadText = (more: Members = {}) => JSON.stringify({ ...claims, ...more });

const good = () => signed(`${encode(headerText())}.${encode(payloadText())}`);
// Each of these is truly signed with our key, so that only what it changes can be what is refused.
const withHeader = (more: Members) => () => signed(`${encode(headerText(more))}.${encode(payloadText())}`);
const withClaims = (more: Members) => () => signed(`${encode(headerText())}.${encode(payloadText(more))}`);
const withTexts = (header: () => string, payload: () => string) => () =>
  signed(`${encode(header())}.${encode(payload())}`);
/** Changes what was signed. */
const withParts = (change: (parts: [string, string, string]) => readonly string[]) => () =>
  change(good().split(".") as [string, string, string]).join(".");
const withSignature = (change: (signature: Buffer) => Uint8Array) =>
  withParts(([header, payload, signature]) => [
    header,
    payload,
    encode(change(Buffer.from(signature, "base64url"))),
  ]);

const hs256 = (secret: () => string | Buffer) => () => {
  const text = `${encode(headerText({ alg: "HS256" }))}.${encode(payloadText())}`;
  return `${text}.${createHmac("sha256", secret()).update(text).digest("base64url")}`;
};

/** The same signature, in characters of which the last has other spare bits. */
const respelt = (part: string) => part.slice(0, -1) + BASE64URL[BASE64URL.indexOf(part.slice(-1)) ^ 1];
const BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

const ATTACKS: Readonly<Record<string, () => string>> = {
  "alg none": withHeader({ alg: "none" }),
  "alg none, no signature": withParts(([, payload]) => [encode(headerText({ alg: "none" })), payload, ""]),
  "alg NONE": withHeader({ alg: "NONE" }),
  "alg missing": withHeader({ alg: undefined }),
  "another alg": withHeader({ alg: "ES384" }),
  "HS256 with the public key's PEM": hs256(() => key.publicKey.export({ type: "spki", format: "pem" })),
  "HS256 with the public key's DER": hs256(() => key.publicKey.export({ type: "spki", format: "der" })),
  "HS256 with the public key's JWK": hs256(() => JSON.stringify(key.publicJwk)),
  "typ missing": withHeader({ typ: undefined }),
  "typ JWT": withHeader({ typ: "JWT" }),
  "typ in capitals": withHeader({ typ: "AT+JWT" }),
  "kid missing": withHeader({ kid: undefined }),
  "kid empty": withHeader({ kid: "" }),
  "kid a number": withHeader({ kid: 1 }),
  "kid of nobody": withHeader({ kid: "unknown" }),
  "kid a name of every object": withHeader({ kid: "__proto__" }),
  "crit with what nobody knows": withHeader({ crit: ["b64"], b64: false }),
  "jwk in the header, signed with that": () =>
    signed(
      `${encode(headerText({ jwk: createPublicKey(stranger).export({ format: "jwk" }) }))}.${encode(payloadText())}`,
      stranger,
    ),
  "a stranger's signature under our kid": () =>
    signed(`${encode(headerText())}.${encode(payloadText())}`, stranger),
  "header with a member twice": withTexts(
    () => headerText().replace("{", '{"alg":"none",'),
    () => payloadText(),
  ),
  "claims with a member twice": withTexts(
    () => headerText(),
    () => payloadText().replace("{", '{"tenant_id":"globex",'),
  ),
  "claims with a member twice, once in escapes": withTexts(
    () => headerText(),
    () => payloadText().replace("{", '{"tenant_\\u0069d":"globex",'),
  ),
  "claims that are a list": withTexts(
    () => headerText(),
    () => JSON.stringify([claims]),
  ),
  "claims that are no JSON": withTexts(
    () => headerText(),
    () => `${payloadText()}}`,
  ),
  "payload of another token": withParts(([header, , signature]) => [
    header,
    encode(payloadText({ tenant_id: "globex" })),
    signature,
  ]),
  "a bit of the payload changed": withParts(([header, payload, signature]) => [
    header,
    (payload[0] === "e" ? "f" : "e") + payload.slice(1),
    signature,
  ]),
  "the signature in other spare bits": withParts(([header, payload, signature]) => [
    header,
    payload,
    respelt(signature),
  ]),
  "the signature with padding": withParts(([header, payload, signature]) => [
    header,
    payload,
    `${signature}==`,
  ]),
  "the signature in base64": withParts(([header, payload, signature]) => [header, payload, `${signature}+`]),
  "no signature": withParts(([header, payload]) => [header, payload, ""]),
  "two parts": withParts(([header, payload]) => [header, payload]),
  "four parts": withParts((parts) => [...parts, "e30"]),
  "space around it": () => ` ${good()}`,
  "a line end behind it": () => `${good()}\n`,
  nothing: () => "",
  "ten thousand dots": () => ".".repeat(10_000),
  "signature in DER": () => {
    const text = `${encode(headerText())}.${encode(payloadText())}`;
    return `${text}.${encode(sign("sha256", Buffer.from(text), key.privateKey))}`;
  },
  "signature cut by a byte": withSignature((bytes) => bytes.subarray(0, 63)),
  "signature longer by a byte": withSignature((bytes) => Buffer.concat([bytes, Buffer.alloc(1)])),
  "signature r = s = 0": withSignature(() => Buffer.alloc(64)),
  "signature all ones": withSignature(() => Buffer.alloc(64, 0xff)),
  "signature with a bit changed": withSignature((bytes) =>
    bytes.map((byte, at) => (at === 9 ? byte ^ 1 : byte)),
  ),
  "issuer with a slash more": withClaims({ iss: `${ISSUER}/` }),
  "issuer in a list": withClaims({ iss: [ISSUER] }),
  "audience in a list": withClaims({ aud: ["keyturn"] }),
  "another audience": withClaims({ aud: "other" }),
  "expired at this very moment": withClaims({ exp: seconds }),
  "exp a text": withClaims({ exp: String(seconds + 900) }),
  "exp a fraction": withClaims({ exp: seconds + 0.5 }),
  "exp beyond all numbers": withTexts(
    () => headerText(),
    () => payloadText({ exp: 0 }).replace('"exp":0', '"exp":1e400'),
  ),
  "iat a text": withClaims({ iat: "now" }),
  "sub of another client": withClaims({ sub: "sa-other@acme.iam" }),
  "sub an object": withClaims({ sub: {}, client_id: {} }),
  "client of another organization": withClaims({ tenant_id: "globex" }),
  "another kind of principal": withClaims({ principal_type: "user" }),
  "another kind of scope": withClaims({ scope: "platform" }),
  "roles in one text": withClaims({ roles: "reader" }),
  "roles that are no texts": withClaims({ roles: [1] }),
};

for (const [name, forge] of Object.entries(ATTACKS)) {
  test(`is no token of ours: ${name}`, async () => {
    const token = forge();
    assert.notEqual(token, good());
    const read = tokens.read(token);
    // A key that nobody knows is looked for once a second.
    for (let turn = 0; turn < 3; turn += 1) await setImmediate();
    if (clock.timerCount() > 1) clock.advanceToTimer();
    assert.equal(await read, undefined);
  });
}

for (const name of Object.keys(claims)) {
  test(`is no token of ours: without ${name}, or with null or a number for it`, async () => {
    const other = typeof claims[name as keyof typeof claims] === "number" ? "1" : 1;
    for (const value of [undefined, null, other, ""])
      assert.equal(await tokens.read(withClaims({ [name]: value })()), undefined);
  });
}

test("what the attacks start from is a token of ours, also with claims that a later release may add", async () => {
  assert.deepEqual(await tokens.read(good()), claims);
  assert.deepEqual(await tokens.read(withClaims({ later: true })()), claims);
  assert.deepEqual(await tokens.read(withSignature((bytes) => bytes)()), claims);
});
