import assert from "node:assert/strict";
import { constants } from "node:http2";
import { connect, type Socket } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { FRAME, frame, literals, readFrames } from "../../bench/support/grpc-connection.ts";
import { encodeCreate } from "../support/doors.ts";
import { type GivenDoors, GOOD_TOKEN, givenDoors } from "../support/given-doors.ts";
import { CREATE_PATH, grpcAnswer, frame as prefixed, rawGrpc } from "../support/raw-grpc.ts";
import { eventually } from "../support/stored.ts";

const LIMIT = { timeout: 10_000 };
const [END_STREAM, END_HEADERS, PADDED] = [1, 4, 8];
const body = prefixed(encodeCreate({ serviceAccountId: "sa-one" }));
const nothing = Buffer.alloc(0);
const number = (value: number) => Buffer.from([0, 0, 0, value]);

let h: GivenDoors;
let socket: Socket;
before(async () => {
  h = await givenDoors();
});
after(async () => {
  socket.destroy();
  await h.stop();
});
beforeEach(async () => {
  socket?.destroy();
  const { hostname, port } = new URL(`http://${h.grpcAddress}`);
  socket = connect(Number(port), hostname);
  socket.on("error", () => {}).resume();
  socket.write(Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
  socket.write(frame(FRAME.SETTINGS, 0, 0));
});

const headers = (requestId: string) =>
  frame(
    FRAME.HEADERS,
    END_HEADERS,
    1,
    literals({
      ":method": "POST",
      ":scheme": "http",
      ":path": CREATE_PATH,
      ":authority": "a",
      te: "trailers",
      "content-type": "application/grpc",
      "x-request-id": requestId,
      authorization: `Bearer ${GOOD_TOKEN}`,
    }),
  );

/** What became of the call, as it is logged once it has ended. */
async function codeOf(requestId: string): Promise<string> {
  const lineOf = () =>
    h
      .log()
      .split("\n")
      .find((line) => line.includes(`"request_id":"${requestId}"`)) ?? "";
  return JSON.parse(await eventually(lineOf, (line) => line !== "")).code;
}

const ENDS: readonly (readonly [what: string, frames: readonly Buffer[]])[] = [
  ["its last byte", [frame(FRAME.DATA, END_STREAM, 1, body)]],
  ["an empty frame", [frame(FRAME.DATA, 0, 1, body), frame(FRAME.DATA, END_STREAM, 1)]],
  [
    "padding",
    [frame(FRAME.DATA, END_STREAM | PADDED, 1, Buffer.concat([Buffer.from([200]), body, Buffer.alloc(200)]))],
  ],
  [
    "trailers, whose token is none",
    [
      frame(FRAME.DATA, 0, 1, body),
      frame(FRAME.HEADERS, END_STREAM | END_HEADERS, 1, literals({ authorization: "Bearer other" })),
    ],
  ],
];

for (const [what, frames] of ENDS) {
  test(`a call that ends with ${what} is answered`, LIMIT, async () => {
    const requestId = `ends-with-${what.replaceAll(/[ ,]+/g, "-")}`;
    const answered = new Promise<void>((resolve) =>
      readFrames(socket, (type, flags) => {
        if (type === FRAME.HEADERS && (flags & END_STREAM) !== 0) resolve();
      }),
    );
    socket.write(Buffer.concat([headers(requestId), ...frames]));
    assert.equal(await codeOf(requestId), "OK");
    await answered;
  });
}

for (const [name, code] of [["NO_ERROR", 0] as const, ["CANCEL", 8] as const]) {
  test(
    `a call that is taken back with ${name} before it has ended never reaches its handler`,
    LIMIT,
    async () => {
      const requestId = `taken-back-with-${name}`;
      const handled = h.calls.length;
      const reset = frame(FRAME.RST_STREAM, 0, 1, number(code));
      socket.write(Buffer.concat([headers(requestId), frame(FRAME.DATA, 0, 1, body), reset]));
      assert.equal(await codeOf(requestId), "CANCELLED");
      assert.equal(h.calls.length, handled);
    },
  );
}

const REFUSALS = [
  ["its token", { authorization: "Bearer other" }, nothing, Code.Unauthenticated],
  [
    "its size",
    { authorization: `Bearer ${GOOD_TOKEN}` },
    prefixed(nothing, { length: 2 ** 30 }),
    Code.ResourceExhausted,
  ],
  ["its content type", { "content-type": "text/plain" }, nothing, -1],
] as const;

for (const [what, sent, first, code] of REFUSALS) {
  test(
    `a call that is refused by ${what} while its body comes is asked to stop, and no drain waits for it`,
    LIMIT,
    async (t) => {
      const doors = await givenDoors();
      t.after(() => doors.stop());
      const client = rawGrpc(doors.grpcAddress);
      t.after(() => client.close());
      const stream = client.open(sent);
      const closed = new Promise((resolve) => stream.once("close", resolve));
      const answer = grpcAnswer(stream);
      stream.write(first);
      assert.equal((await answer).code, code);
      await closed;
      assert.equal(stream.rstCode, constants.NGHTTP2_NO_ERROR);
      await doors.grpc.close(600_000);
    },
  );
}
