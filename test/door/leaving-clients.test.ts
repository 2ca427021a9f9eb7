import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, type TLSSocket } from "node:tls";
import { FRAME, frame, literals } from "../../bench/support/grpc-connection.ts";
import { encodeCreate } from "../support/doors.ts";
import { type GivenDoors, GOOD_TOKEN, givenDoors } from "../support/given-doors.ts";
import { givenTls } from "../support/given-tls.ts";
import { CREATE_PATH, frame as prefixed } from "../support/raw-grpc.ts";

const LIMIT = { timeout: 10_000 };
const LONG_MS = 600_000;
const [END_STREAM, END_HEADERS, GOAWAY] = [1, 4, 7];

const DOORS: readonly (readonly [name: string, addressOf: (h: GivenDoors) => string])[] = [
  ["gRPC", (h) => h.grpcAddress],
  ["HTTP", (h) => new URL(h.httpUrl).host],
];

for (const [name, addressOf] of DOORS) {
  test(
    `a client that leaves the ${name} door and then breaks the protocol leaves no connection behind`,
    LIMIT,
    async (t) => {
      const { tls, stop } = await givenTls();
      t.after(stop);
      const h = await givenDoors({
        tls,
        createCredential: () => new Promise(() => {}),
        silenceMsMax: 50,
        httpTimeouts: { headersMsMax: LONG_MS, requestMsMax: LONG_MS, idleMsMax: 50, checkIntervalMs: 5 },
      });
      t.after(() => h.stop());
      const socket = await overTls(addressOf(h));
      t.after(() => socket.destroy());
      const request = literals({
        ":method": "POST",
        ":scheme": "https",
        ":path": CREATE_PATH,
        ":authority": "a",
        "content-type": "application/grpc",
        authorization: `Bearer ${GOOD_TOKEN}`,
      });
      socket.write(
        Buffer.concat([
          Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
          frame(FRAME.SETTINGS, 0, 0),
          frame(FRAME.HEADERS, END_HEADERS, 1, request),
          frame(FRAME.DATA, END_STREAM, 1, prefixed(encodeCreate({ serviceAccountId: "sa-one" }))),
          frame(GOAWAY, 0, 0, Buffer.alloc(8)),
          frame(FRAME.DATA, 0, 1),
        ]),
      );
      await new Promise((resolve) => socket.once("close", resolve));
    },
  );
}

async function overTls(address: string): Promise<TLSSocket> {
  const { hostname, port } = new URL(`https://${address}`);
  const socket = connect({
    host: hostname,
    port: Number(port),
    ALPNProtocols: ["h2"],
    rejectUnauthorized: false,
  });
  socket.on("error", () => {}).resume();
  await new Promise((resolve) => socket.once("secureConnect", resolve));
  assert.equal(socket.alpnProtocol, "h2");
  return socket;
}
