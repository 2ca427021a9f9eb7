import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, fromBinary } from "@bufbuild/protobuf";
import { AnySchema, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { rest } from "../support/clients.ts";
import { encodeCreate } from "../support/doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { CREATE_PATH, frame, rawGrpc } from "../support/raw-grpc.ts";
import { assertAlive, assertNothingStored, storedCount } from "../support/stored.ts";

let h: TestKeyturn;
let account: { readonly organizationId: string; readonly id: string };
let token: string;
before(async () => {
  h = await givenKeyturn();
  account = await h.givenAccount();
  token = await h.token(account.organizationId);
});
after(() => h.stop());

const BAD: readonly (readonly [what: string, message: () => Uint8Array])[] = [
  ["a field that breaks off", () => Buffer.from([0x0a, 0x40, 0x61])],
  ["a wire type that there is none of", () => Buffer.from([0x0f, 0x01])],
  ["a group that never ends", () => Buffer.from([0x0b])],
  ["a varint that never ends", () => Buffer.alloc(20, 0xff)],
  ["noise", () => Buffer.from("this is no protobuf message")],
  ["a string that is not UTF-8", () => Buffer.from([0x0a, 0x02, 0x73, 0xff])],
];

for (const [what, message] of BAD) {
  test(`a message of ${what} is refused over gRPC, gRPC-Web and Connect, and nothing is stored`, async () => {
    const grpc = rawGrpc(h.grpcAddress);
    try {
      const answer = await grpc.call(frame(message()), { authorization: `Bearer ${token}` });
      assert.equal(answer.code, Code.InvalidArgument);
      assert.equal(answer.reason, "INVALID_ARGUMENT");
    } finally {
      grpc.close();
    }
    const viaConnect = await rest(h, CREATE_PATH, {
      method: "POST",
      token,
      headers: { "content-type": "application/proto" },
      body: Uint8Array.from(message()),
    });
    assert.equal(viaConnect.status, 400);
    assert.equal(viaConnect.body.details[0].type, "google.rpc.ErrorInfo");
    const viaWeb = await grpcWeb(frame(message()));
    assert.deepEqual([viaWeb.code, viaWeb.reason], [Code.InvalidArgument, "INVALID_ARGUMENT"]);
    await assertNothingStored(h, account.id);
    await assertAlive(h);
  });
}

const good = () => encodeCreate({ serviceAccountId: account.id });

const BAD_WEB: readonly (readonly [what: string, body: () => Uint8Array])[] = [
  ["no message", () => Buffer.alloc(0)],
  ["a prefix that breaks off", () => Buffer.from([0, 0, 0])],
  ["a length beyond the body", () => frame(good(), { length: 60_000 })],
  ["a length of four gigabytes", () => frame(good(), { length: 0xffff_ffff })],
  ["two messages", () => Buffer.concat([frame(good()), frame(good())])],
  ["a compressed flag without an encoding", () => frame(good(), { flag: 1 })],
  ["a trailer instead of a message", () => frame(Buffer.from("grpc-status: 0\r\n"), { flag: 0x80 })],
];

for (const [what, body] of BAD_WEB) {
  test(`a gRPC-Web body of ${what} is refused, and nothing is stored`, async () => {
    const answer = await grpcWeb(body());
    assert.equal(answer.status, 200, "gRPC-Web answers in its trailer");
    assert.deepEqual([answer.code, answer.reason], [Code.InvalidArgument, "INVALID_ARGUMENT"]);
    await assertNothingStored(h, account.id);
    await assertAlive(h);
  });
}

test("a compressed gRPC-Web message is refused by its encoding, and nothing is stored", async () => {
  const answer = await grpcWeb(frame(good(), { flag: 1 }), { "grpc-encoding": "gzip" });
  assert.deepEqual([answer.code, answer.reason], [Code.InvalidArgument, "CONTENT_TYPE_UNSUPPORTED"]);
  await assertNothingStored(h, account.id);
});

test("fields that a newer client knows are left alone in the binary encoding", async () => {
  const { organizationId, id } = await h.givenAccount();
  const newer = Buffer.concat([
    encodeCreate({ serviceAccountId: id }),
    Buffer.from([0xfa, 0x07, 0x01, 0x41]),
  ]);
  const answer = await grpcWeb(frame(newer), { authorization: `Bearer ${await h.token(organizationId)}` });
  assert.equal(answer.code, 0);
  assert.equal(await storedCount(h, id), 1);
});

/** A gRPC-Web call by hand: the trailer is the last frame of the body, marked by its highest bit. */
async function grpcWeb(body: Uint8Array, headers: Record<string, string> = {}) {
  const res = await fetch(h.httpUrl + CREATE_PATH, {
    method: "POST",
    headers: { "content-type": "application/grpc-web+proto", authorization: `Bearer ${token}`, ...headers },
    body: Uint8Array.from(body),
  });
  const trailer = trailerOf(Buffer.from(await res.arrayBuffer()));
  const packed = trailer.get("grpc-status-details-bin");
  const details = packed === undefined ? [] : fromBinary(StatusSchema, Buffer.from(packed, "base64")).details;
  const unpacked = details.map((any) => anyUnpack(create(AnySchema, any), ErrorInfoSchema));
  return {
    status: res.status,
    code: Number(trailer.get("grpc-status") ?? -1),
    reason: unpacked.find(Boolean)?.reason ?? "",
  };
}

function trailerOf(body: Buffer): Map<string, string> {
  for (let at = 0; at + 5 <= body.length; at += 5 + body.readUInt32BE(at + 1)) {
    if ((body.readUInt8(at) & 0x80) === 0) continue;
    const text = body.subarray(at + 5, at + 5 + body.readUInt32BE(at + 1)).toString("latin1");
    return new Map(
      text
        .split("\r\n")
        .filter(Boolean)
        .map((line) => [
          line.slice(0, line.indexOf(":")).toLowerCase(),
          line.slice(line.indexOf(":") + 1).trim(),
        ]),
    );
  }
  return new Map();
}
