import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { gzipSync } from "node:zlib";
import { Code } from "@connectrpc/connect";
import { credentialsPath, rest } from "../support/clients.ts";
import { encodeCreate, fromRest } from "../support/doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { CREATE_PATH, frame, rawGrpc } from "../support/raw-grpc.ts";
import { rawConnection } from "../support/raw-http.ts";
import { assertAlive, assertNothingStored, storedCount } from "../support/stored.ts";

const BYTES_MAX = 64 * 1024;

let h: TestKeyturn;
let account: { readonly organizationId: string; readonly id: string };
let token: string;
before(async () => {
  h = await givenKeyturn();
  account = await h.givenAccount();
  token = await h.token(account.organizationId);
});
after(() => h.stop());

const jsonOf = (bytes: number, members = "") => {
  const text = `{${members}}`;
  return text.padEnd(bytes, " ");
};

/** A message of exactly this size: the account's id, and a field that this release does not know. */
function messageOf(bytes: number, id = account.id): Buffer {
  const known = encodeCreate({ serviceAccountId: id });
  const rest = bytes - known.length - 2;
  // Tag 127 as bytes, then a length in as many bytes as it takes.
  for (const lengthBytes of [1, 2, 3, 4]) {
    const length = rest - lengthBytes;
    const prefix = Buffer.from([0xfa, 0x07, ...varint(length)]);
    if (prefix.length === 2 + lengthBytes) return Buffer.concat([known, prefix, Buffer.alloc(length)]);
  }
  throw new Error("no such size");
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** Sent in chunks, so that no Content-Length gives the size away. */
const chunked = (text: string) => ({
  body: new ReadableStream({
    start(controller) {
      for (let at = 0; at < text.length; at += 10_000)
        controller.enqueue(Buffer.from(text.slice(at, at + 10_000)));
      controller.close();
    },
  }),
  duplex: "half" as const,
});

const OVERSIZE = [BYTES_MAX + 1, BYTES_MAX + 4, 5_000_000];

for (const size of OVERSIZE) {
  for (const how of ["with a Content-Length", "in chunks"] as const) {
    test(`a JSON body of ${size} bytes ${how} is refused over REST and Connect, and nothing is stored`, async () => {
      const init = { method: "POST", token, headers: { "content-type": "application/json" } };
      const send = (text: string) => (how === "in chunks" ? chunked(text) : { body: text });
      const res = await rest(h, credentialsPath(account.id), { ...init, ...send(jsonOf(size)) });
      const answer = fromRest(res.status, res.headers, res.body);
      assert.equal(res.status, 413);
      assert.equal(answer.reason, "MESSAGE_TOO_LARGE");
      assert.deepEqual(answer.metadata, { limit_bytes: String(BYTES_MAX) });

      const members = `"serviceAccountId":"${account.id}"`;
      const connect = await rest(h, CREATE_PATH, { ...init, ...send(jsonOf(size, members)) });
      assert.equal(connect.body.code, "resource_exhausted");
      assert.equal(connect.body.details[0].debug.reason, "MESSAGE_TOO_LARGE");
      await assertNothingStored(h, account.id);
      await assertAlive(h);
    });
  }

  test(`a message of ${size} bytes is refused over Connect, gRPC-Web and gRPC, and nothing is stored`, async () => {
    const message = messageOf(size);
    assert.equal(message.length, size);
    const proto = { method: "POST", token, headers: { "content-type": "application/proto" } };
    const connect = await rest(h, CREATE_PATH, { ...proto, body: Uint8Array.from(message) });
    assert.equal(connect.body.details[0].debug.reason, "MESSAGE_TOO_LARGE");

    const web = { method: "POST", token, headers: { "content-type": "application/grpc-web+proto" } };
    const viaWeb = await rest(h, CREATE_PATH, { ...web, body: Uint8Array.from(frame(message)) });
    assert.match(viaWeb.text, new RegExp(`grpc-status: ${Code.ResourceExhausted}\\r\\n`));

    const viaGrpc = await overGrpc(frame(message));
    assert.equal(viaGrpc.code, Code.ResourceExhausted);
    assert.equal(viaGrpc.reason, "MESSAGE_TOO_LARGE");
    assert.deepEqual(viaGrpc.metadata, { limit_bytes: String(BYTES_MAX) });
    await assertNothingStored(h, account.id);
    await assertAlive(h);
  });
}

test("a gRPC message that grows beyond the bound when it is unpacked is refused, and nothing is stored", async () => {
  const packed = gzipSync(messageOf(50_000_000));
  assert.ok(packed.length < BYTES_MAX, "it is small on the wire");
  const answer = await overGrpc(frame(packed, { flag: 1 }), { "grpc-encoding": "gzip" });
  assert.deepEqual([answer.code, answer.reason], [Code.ResourceExhausted, "MESSAGE_TOO_LARGE"]);
  await assertNothingStored(h, account.id);
  await assertAlive(h);
});

test("a client that sends all of its oversize body before it reads is told, and may send the next request", async () => {
  const { organizationId, id } = await h.givenAccount();
  const own = await h.token(organizationId);
  const connection = await rawConnection(h.httpUrl);
  const head = [
    `POST ${credentialsPath(id)} HTTP/1.1`,
    "host: a",
    "content-type: application/json",
    `authorization: Bearer ${own}`,
  ];
  for (const size of [5_000_000, 2]) {
    connection.socket.pause();
    connection.write(`${[...head, `content-length: ${size}`].join("\r\n")}\r\n\r\n`);
    await new Promise((resolve) => connection.socket.write(jsonOf(size, size === 2 ? "" : '"x":1'), resolve));
    connection.socket.resume();
    assert.equal((await connection.answer()).status, size === 2 ? 201 : 413);
  }
  connection.socket.destroy();
});

test("exactly 64 KiB are accepted at every door", async () => {
  const { organizationId, id } = await h.givenAccount();
  const own = await h.token(organizationId);
  const post = (path: string, contentType: string, body: string | Uint8Array<ArrayBuffer>) =>
    rest(h, path, { method: "POST", token: own, headers: { "content-type": contentType }, body });
  const message = messageOf(BYTES_MAX, id);
  assert.equal((await post(credentialsPath(id), "application/json", jsonOf(BYTES_MAX))).status, 201);
  const named = jsonOf(BYTES_MAX, `"serviceAccountId":"${id}"`);
  assert.equal((await post(CREATE_PATH, "application/json", named)).status, 200);
  assert.equal((await post(CREATE_PATH, "application/proto", Uint8Array.from(message))).status, 200);
  const web = await post(CREATE_PATH, "application/grpc-web+proto", Uint8Array.from(frame(message)));
  assert.match(web.text, /grpc-status: 0\r\n/);
  assert.equal((await overGrpc(frame(message), { authorization: `Bearer ${own}` })).code, 0);
  assert.equal(await storedCount(h, id), 5);
});

test("headers beyond 16 KiB are refused over gRPC once the client has seen the bound, and nothing is stored", async () => {
  const grpc = rawGrpc(h.grpcAddress);
  try {
    const headers = { authorization: `Bearer ${token}` };
    await grpc.call(Buffer.alloc(5), headers);
    assert.equal(grpc.session.remoteSettings.maxHeaderListSize, 16 * 1024);
    const answer = await grpc.call(frame(messageOf(100)), { ...headers, "x-long": "x".repeat(17 * 1024) });
    assert.notEqual(answer.code, 0);
  } finally {
    grpc.close();
  }
  await assertNothingStored(h, account.id);
  await assertAlive(h);
});

test("an oversize message is logged and counted as what it is", async () => {
  await overGrpc(frame(messageOf(BYTES_MAX + 1)));
  const lines = h
    .log()
    .split("\n")
    .filter((line) => line.includes('"door":"grpc"') && line.includes('"msg":"call"'));
  assert.equal(JSON.parse(lines.at(-1) ?? "{}").reason, "MESSAGE_TOO_LARGE");
});

async function overGrpc(body: Uint8Array, headers: Record<string, string> = {}) {
  const grpc = rawGrpc(h.grpcAddress);
  try {
    return await grpc.call(body, { authorization: `Bearer ${token}`, ...headers });
  } finally {
    grpc.close();
  }
}
