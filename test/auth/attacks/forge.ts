import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import type { TokenRefusal } from "../../../src/domain/fault.ts";
import type { TestIssuer } from "../../support/issuer.ts";
import { encodePart, goodClaims, type SigningKey, signText } from "../../support/token.ts";

/** The issuer publishes `main` (ES256), `second` (ES256) and `rsa` (RS256); `stranger` is nobody's. */
export interface Target {
  readonly issuer: TestIssuer;
  readonly main: SigningKey;
  readonly second: SigningKey;
  readonly rsa: SigningKey;
  readonly stranger: SigningKey;
  readonly seconds: number;
}

export type Members = Readonly<Record<string, unknown>>;
export type Forge = (target: Target) => string | Promise<string>;
export type Attack = readonly [name: string, refusal: TokenRefusal, forge: Forge];

export const headerOf = ({ main }: Target, more: Members = {}) =>
  JSON.stringify({ alg: "ES256", kid: main.id, typ: "at+jwt", ...more });
export const payloadOf = (target: Target, more: Members = {}) =>
  JSON.stringify({ ...goodClaims(target.issuer.url, target.seconds * 1000), ...more });

// Each of these is truly signed with the published key, so that only what it changes can be what is refused.
export const withHeader =
  (more: Members): Forge =>
  (target) =>
    target.issuer.signBytes(headerOf(target, more), payloadOf(target), target.main);
export const withClaims =
  (more: Members | ((target: Target) => Members)): Forge =>
  (target) =>
    target.issuer.sign({ claims: typeof more === "function" ? more(target) : more });
export const withPayload =
  (payload: string | Uint8Array): Forge =>
  (target) =>
    target.issuer.signBytes(headerOf(target), payload, target.main);
export const withHeaderText =
  (text: (target: Target) => string): Forge =>
  (target) =>
    target.issuer.signBytes(text(target), payloadOf(target), target.main);
/** Puts text in place of one that occurs in the good payload. */
export const withPayloadText =
  (from: string | RegExp, to: string): Forge =>
  (target) => {
    const good = payloadOf(target);
    const changed = good.replace(from, () => to);
    assert.notEqual(changed, good);
    return target.issuer.signBytes(headerOf(target), changed, target.main);
  };

/** Changes the encoded header and payload before they are signed. */
export const withParts =
  (change: (header: string, payload: string) => string): Forge =>
  (target) => {
    const [header, payload] = [
      encodePart(withSpareBits(headerOf(target))),
      encodePart(withSpareBits(payloadOf(target))),
    ];
    const changed = change(header, payload);
    assert.notEqual(changed, `${header}.${payload}`);
    return signText(changed, target.main);
  };

/** Spaces at the end, so that the last base64url character has bits to spare. */
const withSpareBits = (text: string): string => (Buffer.byteLength(text) % 3 === 0 ? `${text} ` : text);

// These begin with a good token and change what was already signed.
export const withToken =
  (change: (token: string) => string): Forge =>
  async (target) =>
    change(await target.issuer.sign());

export const withSignatureText = (change: (signature: string) => string): Forge =>
  withToken((token) => token.replace(/[^.]*$/, change));

export const withSignature = (change: (signature: Buffer<ArrayBuffer>) => Uint8Array): Forge =>
  withSignatureText((signature) => encodePart(change(Buffer.from(signature, "base64url"))));
