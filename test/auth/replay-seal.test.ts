import assert from "node:assert/strict";
import { createDecipheriv, createSecretKey, hash, hkdfSync, randomBytes, randomUUID } from "node:crypto";
import { test } from "node:test";
import { inspect } from "node:util";
import { type ReplayKey, replayKey } from "../../src/auth/replay-seal.ts";
import { deriveKeys, type KeyRing } from "../../src/auth/root-keys.ts";

const secret = "plt_cs_secret";
const credentialId = "cred-1";
const requestId = "3f2504e0-4f89-41d3-9a0c-0305e82c3301";
const owner = ["org-1", "https://issuer.example", "user-1"];
const body = Buffer.from("body");
const counting = (size: number) => Uint8Array.from({ length: size }, (_, index) => index);
const { replay: keys } = deriveKeys([createSecretKey(counting(32))]);
const key = keyFor();

/**
 * Computed by an independent program for the request above (RFC 5869; SHA-256 of the owner as JSON). The hash has no salt,
 * the sealing key that of the server: HKDF of bytes 0 to 31, no salt, info "keyturn replay seal".
 */
const FROZEN = {
  requestHash: "9e71fb564791b29ac493af2fee954d92f73e75f3f40cf7ba08a9a00ed0298380",
  bodyHash: "230d8358dc8e8890b4c58deeb62912ee2f20357ae92a5cc861b98e68fe31acb5",
  sealingKey: "923e71add91afd08c5e85119d93177abe647dc6c8b80dc4eff3047a94ccc3ab3",
  /** The nonce is bytes 0 to 11. */
  sealed: "000102030405060708090a0ba1fdcafe3ad30fbf40996b9099bc1999ca20ad978f389a0972cba19dec",
};

/** Owners that must not be taken for each other, however they are joined. */
const OWNERS = [
  owner,
  ["org-2", "https://issuer.example", "user-1"],
  ["org-1", "https://issuer2.example", "user-1"],
  ["org-1", "https://issuer.example", "user-2"],
  ["org-1", "https://issuer.example"],
  ["org-1", "https://issuer.exampleuser-1", ""],
  ["org-1https://issuer.example", "", "user-1"],
  ["org-1,https://issuer.example,user-1"],
  ["org-1", 'https://issuer.example","user-1'],
  ["org-1", "https://issuer.example", "\ud800"],
  ["org-1", "https://issuer.example", "\ud801"],
  [],
];

test("a sealed secret comes back in the next process", () => {
  assert.equal(keyFor().open(key.seal(secret, credentialId), credentialId), secret);
});

test("hashes and seal are the same in every release, frozen", () => {
  assert.equal(key.requestHash.toString("hex"), FROZEN.requestHash);
  assert.equal(key.bodyHash.toString("hex"), FROZEN.bodyHash);
  const again = replayKey({ requestId, owner, body }, { keys, randomBytes: counting });
  const sealed = again.seal(secret, credentialId);
  assert.equal(sealed.toString("hex"), FROZEN.sealed);
  assert.equal(key.open(Uint8Array.from(sealed), credentialId), secret);
});

test("another request id, owner or credential id opens nothing", () => {
  const sealed = key.seal(secret, credentialId);
  for (const otherOwner of OWNERS.slice(1)) assertRefused(sealed, keyFor({ owner: otherOwner }));
  for (let round = 0; round < 100; round++) assertRefused(sealed, keyFor({ requestId: randomUUID() }));
  assertRefused(sealed, keyFor({ requestId: requestId.replace("3301", "3302") }));
  for (const otherId of ["cred-2", "cred-", "cred-11", "CRED-1", ""]) assertRefused(sealed, key, otherId);
});

test("a retired server key still opens, the current one seals, and a dropped one opens nothing", () => {
  const [current, older, oldest] = [serverKey(1), serverKey(2), serverKey(3)];
  const rotated = keyFor({}, [current, older, oldest]);
  for (const server of [older, oldest]) {
    const sealed = keyFor({}, [server]).seal(secret, credentialId);
    assert.equal(rotated.open(sealed, credentialId), secret);
    assertRefused(sealed, keyFor({}, [current]));
  }
  assert.equal(keyFor({}, [current]).open(rotated.seal(secret, credentialId), credentialId), secret);
});

test("another server's key opens nothing", () => {
  const sealed = key.seal(secret, credentialId);
  for (let round = 0; round < 100; round++) {
    assertRefused(sealed, keyFor({}, [createSecretKey(randomBytes(32)), createSecretKey(randomBytes(32))]));
  }
});

test("a dump and the request id open nothing without the server's key", () => {
  const sealed = key.seal(secret, credentialId);
  const { requestHash, bodyHash } = key;
  for (const salt of [Buffer.alloc(0), Buffer.alloc(32), requestHash, bodyHash, Buffer.from(requestId)]) {
    assert.throws(() => openedWith(sealingKeyFrom(salt), sealed));
  }
  assert.equal(openedWith(sealingKeyFrom(keys[0].export()), sealed), secret);
});

test("no rotation of the server's keys forgets a request", () => {
  const rotated = keyFor({}, [serverKey(1), keys[0]]);
  assert.deepEqual(rotated.requestHash, key.requestHash);
  assert.deepEqual(rotated.bodyHash, key.bodyHash);
});

test("neither stored hash is the key", () => {
  const sealed = key.seal(secret, credentialId);
  assert.equal(openedWith(Buffer.from(FROZEN.sealingKey, "hex"), sealed), secret);
  for (const stored of [key.requestHash, key.bodyHash]) assert.throws(() => openedWith(stored, sealed));
});

test("upper and lower case name the same request", () => {
  const upper = keyFor({ requestId: requestId.toUpperCase() });
  assert.deepEqual(upper.requestHash, key.requestHash);
  assert.equal(upper.open(key.seal(secret, credentialId), credentialId), secret);
});

test("the request hash has 32 bytes and differs by owner and by request id, not by body", () => {
  const requests = [
    ...OWNERS.map((one) => keyFor({ owner: one })),
    ...Array.from({ length: 100 }, () => keyFor({ requestId: randomUUID() })),
  ];
  for (const { requestHash } of requests) assert.equal(requestHash.length, 32);
  assert.equal(new Set(requests.map(({ requestHash }) => requestHash.toString("hex"))).size, requests.length);
  assert.deepEqual(keyFor({ body: Buffer.from("other") }).requestHash, key.requestHash);
});

test("the body hash is SHA-256 of the body and differs by nothing else", () => {
  const same = keyFor({ requestId: randomUUID(), owner: ["org-2", "i", "s"], body: Uint8Array.from(body) });
  assert.deepEqual(same.bodyHash, key.bodyHash);
  for (const other of [Buffer.alloc(0), Buffer.from("bodY"), Buffer.from("body "), Buffer.alloc(65_536)]) {
    assert.equal(keyFor({ body: other }).bodyHash.toString("hex"), hash("sha256", other));
    assert.notDeepEqual(keyFor({ body: other }).bodyHash, key.bodyHash);
  }
});

test("an owner of any length has a key", () => {
  const long = keyFor({ owner: ["o".repeat(63), `https://${"i".repeat(2_000)}`, "é".repeat(255)] });
  assert.equal(long.open(long.seal(secret, credentialId), credentialId), secret);
});

test("every flipped bit is refused, and every byte cut off or put on", () => {
  const sealed = key.seal(secret, credentialId);
  for (let bit = 0; bit < sealed.length * 8; bit++) {
    const flipped = Buffer.from(sealed);
    flipped.writeUInt8(flipped.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    assertRefused(flipped);
  }
  for (let at = 0; at < sealed.length; at++) {
    assertRefused(sealed.subarray(0, at));
    assertRefused(sealed.subarray(at + 1));
  }
  for (const extra of [Buffer.alloc(1), Buffer.alloc(16)]) {
    assertRefused(Buffer.concat([sealed, extra]));
    assertRefused(Buffer.concat([extra, sealed]));
  }
});

test("the same secret sealed twice gives other bytes, and none shows it", () => {
  const all = Array.from({ length: 1_000 }, () => key.seal(secret, credentialId).toString("latin1"));
  assert.equal(new Set(all).size, all.length);
  for (const sealed of all) assert.ok(!sealed.includes(secret.slice(0, 6)));
});

test("an id that is no version 4 UUID is refused and not quoted", () => {
  const wrong = [
    "",
    "1",
    "00000000-0000-0000-0000-000000000000",
    // Versions 1 and 7 hold a time, which can be guessed.
    "3f2504e0-4f89-11d3-9a0c-0305e82c3301",
    "0190a6e2-4f89-71d3-9a0c-0305e82c3301",
    requestId.replace("-9", "-c"),
    requestId.replaceAll("-", ""),
    `{${requestId}}`,
    ` ${requestId}`,
    `${requestId}\n`,
  ];
  const refusal = new TypeError("not a version 4 UUID");
  for (const id of wrong) assert.throws(() => keyFor({ requestId: id }), refusal);
});

test("printing shows neither secret nor request id nor any key", () => {
  const printedKey = keyFor();
  printedKey.open(printedKey.seal(secret, credentialId), credentialId);
  const secretKeys = [Buffer.from(FROZEN.sealingKey, "hex"), keys[0].export()];
  const hidden = [secret, requestId, ...owner, ...secretKeys.flatMap(spellings)];
  for (const printed of [inspect(printedKey, { depth: 9, showHidden: true }), JSON.stringify(printedKey)]) {
    for (const text of hidden) assert.ok(!printed.toLowerCase().includes(text.toLowerCase()), text);
  }
});

function keyFor(other: Partial<Parameters<typeof replayKey>[0]> = {}, ring: KeyRing = keys): ReplayKey {
  return replayKey({ requestId, owner, body, ...other }, { keys: ring, randomBytes });
}

function serverKey(byte: number) {
  return createSecretKey(Buffer.alloc(32, byte));
}

/** What somebody derives who knows the request id, the owner and this source. */
function sealingKeyFrom(salt: Uint8Array): Buffer {
  const info = `keyturn replay sealing key 1 ${hash("sha256", JSON.stringify(owner))}`;
  return Buffer.from(hkdfSync("sha256", requestId, salt, info, 32));
}

function assertRefused(sealed: Uint8Array, by: ReplayKey = key, id: string = credentialId): void {
  // A plain error: Node's own complaints about the length of its arguments are `TypeError`s.
  assert.throws(() => by.open(sealed, id), { name: "Error" });
}

/** What a thief would do who had the key's bytes. */
function openedWith(keyBytes: Buffer, sealed: Buffer): string {
  const decipher = createDecipheriv("aes-256-gcm", keyBytes, sealed.subarray(0, 12), { authTagLength: 16 })
    .setAAD(Buffer.from(credentialId))
    .setAuthTag(sealed.subarray(-16));
  return decipher.update(sealed.subarray(12, -16)).toString() + decipher.final().toString();
}

/** The first bytes as hex, as Node prints a buffer, as JSON and as base64. */
function spellings(bytes: Buffer): string[] {
  const start = bytes.subarray(0, 6);
  const spaced = start.toString("hex").replace(/..(?=.)/g, "$& ");
  return [
    start.toString("hex"),
    spaced,
    [...start].join(","),
    [...start].join(", "),
    start.toString("base64"),
  ];
}
