import assert from "node:assert/strict";
import type { OutgoingHttpHeaders } from "node:http2";
import { connect } from "node:net";
import { after, before, test } from "node:test";
import { deflateSync, gzipSync } from "node:zlib";
import { Code } from "@connectrpc/connect";
import { encodeCreate } from "../support/doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { frame, grpcAnswer, rawGrpc } from "../support/raw-grpc.ts";
import { assertAlive, assertNothingStored, eventually, metric, storedCount } from "../support/stored.ts";

let h: TestKeyturn;
let account: { readonly organizationId: string; readonly id: string };
let authorization: string;
before(async () => {
  h = await givenKeyturn();
  account = await h.givenAccount();
  authorization = `Bearer ${await h.token(account.organizationId)}`;
});
after(() => h.stop());

const good = () => encodeCreate({ serviceAccountId: account.id });

async function call(body: Uint8Array, headers: OutgoingHttpHeaders = {}) {
  const grpc = rawGrpc(h.grpcAddress);
  try {
    return await grpc.call(body, { authorization, ...headers });
  } finally {
    grpc.close();
  }
}

const BAD_FRAMES: readonly (readonly [
  what: string,
  body: () => Uint8Array,
  headers?: OutgoingHttpHeaders,
])[] = [
  ["no message", () => Buffer.alloc(0)],
  ["two messages", () => Buffer.concat([frame(good()), frame(good())])],
  ["a prefix that breaks off", () => Buffer.from([0, 0, 0])],
  ["a message that breaks off", () => frame(good()).subarray(0, -1)],
  ["a length short of the message", () => frame(good(), { length: 3 })],
  ["a length beyond the message", () => frame(good(), { length: 60_000 })],
  ["a packed message without its encoding", () => frame(gzipSync(good()), { flag: 1 })],
  ["a packed message that is not packed", () => frame(good(), { flag: 1 }), { "grpc-encoding": "gzip" }],
  ["an encoding that there is none of", () => frame(good(), { flag: 1 }), { "grpc-encoding": "lzma" }],
  [
    "a property of objects for its encoding",
    () => frame(good(), { flag: 1 }),
    { "grpc-encoding": "constructor" },
  ],
];

for (const [what, body, headers] of BAD_FRAMES) {
  test(`a call with ${what} is refused over gRPC with a reason, and nothing is stored`, async () => {
    const before_ = await metric(h, 'keyturn_calls_total{door="grpc"');
    const answer = await call(body(), headers);
    assert.deepEqual([answer.code, answer.reason], [Code.InvalidArgument, "INVALID_ARGUMENT"]);
    await eventually(
      () => metric(h, 'keyturn_calls_total{door="grpc"'),
      (count) => count === before_ + 1,
    );
    await assertNothingStored(h, account.id);
    await assertAlive(h);
  });
}

test("a length of four gigabytes is refused over gRPC before they come", async () => {
  const grpc = rawGrpc(h.grpcAddress);
  try {
    const stream = grpc.open({ authorization });
    const answer = grpcAnswer(stream);
    stream.write(frame(Buffer.alloc(0), { length: 0xffff_ffff }));
    const { code, reason } = await answer;
    assert.deepEqual([code, reason], [Code.ResourceExhausted, "MESSAGE_TOO_LARGE"]);
  } finally {
    grpc.close();
  }
});

test("a message that comes byte by byte is accepted", async () => {
  const { organizationId, id } = await h.givenAccount();
  const grpc = rawGrpc(h.grpcAddress);
  try {
    const stream = grpc.open({ authorization: `Bearer ${await h.token(organizationId)}` });
    const answer = grpcAnswer(stream);
    for (const byte of frame(encodeCreate({ serviceAccountId: id }))) {
      await new Promise((resolve) => stream.write(Buffer.from([byte]), resolve));
    }
    stream.end();
    assert.equal((await answer).code, 0);
    assert.equal(await storedCount(h, id), 1);
  } finally {
    grpc.close();
  }
});

const PATHS = [
  "/keyturn.v1.CredentialService/Nothing",
  "/keyturn.v1.CredentialService/createCredential",
  "/keyturn.v1.CredentialService/CreateCredential/",
  "/keyturn.v1.Nothing/CreateCredential",
  "/CreateCredential",
  "/",
];

for (const path of PATHS) {
  test(`the gRPC path ${path} is unimplemented`, async () => {
    assert.equal((await call(frame(good()), { ":path": path })).code, Code.Unimplemented);
    await assertNothingStored(h, account.id);
  });
}

for (const method of ["GET", "HEAD", "PUT", "DELETE"]) {
  test(`${method} is answered 405 at the gRPC door`, async () => {
    const answer = await call(frame(good()), { ":method": method });
    assert.deepEqual([answer.code, answer.httpStatus], [-1, 405]);
    await assertNothingStored(h, account.id);
  });
}

const FOREIGN = [
  "application/json",
  "text/plain",
  "application/proto",
  "application/grpc-web",
  "application/grpc+json",
  "application/grpcx",
  "",
];

for (const contentType of FOREIGN) {
  test(`the content type "${contentType}" is answered 415 at the gRPC door`, async () => {
    const answer = await call(frame(good()), { "content-type": contentType });
    assert.equal(answer.httpStatus, 415);
    await assertNothingStored(h, account.id);
  });
}

for (const contentType of ["application/grpc", "application/grpc+proto", "Application/gRPC; charset=utf-8"]) {
  test(`the content type "${contentType}" is gRPC's own`, async () => {
    const { organizationId, id } = await h.givenAccount();
    const own = `Bearer ${await h.token(organizationId)}`;
    const body = frame(encodeCreate({ serviceAccountId: id }));
    assert.equal((await call(body, { "content-type": contentType, authorization: own })).code, 0);
  });
}

test("two tokens are no token over gRPC", async () => {
  const headers = { authorization: [authorization, authorization] } as unknown as OutgoingHttpHeaders;
  assert.equal((await call(frame(good()), headers)).code, Code.Unauthenticated);
  await assertNothingStored(h, account.id);
});

test("a header that has the name of another for its value is none of it", async () => {
  const { organizationId, id } = await h.givenAccount();
  const own = `Bearer ${await h.token(organizationId)}`;
  const body = frame(encodeCreate({ serviceAccountId: id }));
  assert.equal((await call(body, { "x-header": "authorization", authorization: own })).code, 0);
});

test("packed messages are read, by gzip and by deflate", async () => {
  const { organizationId, id } = await h.givenAccount();
  const own = `Bearer ${await h.token(organizationId)}`;
  for (const [encoding, pack] of [["gzip", gzipSync] as const, ["deflate", deflateSync] as const]) {
    const body = frame(pack(encodeCreate({ serviceAccountId: id })), { flag: 1 });
    assert.equal((await call(body, { "grpc-encoding": encoding, authorization: own })).code, 0);
  }
  // What says that it is packed may still send some messages as they are.
  const plain = frame(encodeCreate({ serviceAccountId: id }));
  assert.equal((await call(plain, { "grpc-encoding": "gzip", authorization: own })).code, 0);
  assert.equal(await storedCount(h, id), 3);
});

const NOISE: readonly (readonly [what: string, bytes: Uint8Array])[] = [
  ["text that is no preface", Buffer.from("hello\r\n\r\n")],
  ["HTTP/1.1", Buffer.from("POST / HTTP/1.1\r\nhost: a\r\n\r\n")],
  ["a TLS greeting", Buffer.from("160301020001000001fc0303", "hex")],
  ["zeros", Buffer.alloc(4096)],
  [
    "a preface and noise",
    Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), Buffer.alloc(64, 0xfe)]),
  ],
];

for (const [what, bytes] of NOISE) {
  test(`a connection that sends ${what} is ended, and the others live on`, async () => {
    const { hostname, port } = new URL(`http://${h.grpcAddress}`);
    const socket = connect(Number(port), hostname);
    socket.on("error", () => {});
    socket.resume();
    socket.write(bytes);
    await new Promise((resolve) => socket.once("close", resolve));
    assert.equal((await call(Buffer.alloc(0))).code, Code.InvalidArgument);
    await assertAlive(h);
  });
}
