import assert from "node:assert/strict";
import { constants } from "node:http2";
import { connect } from "node:net";
import { test } from "node:test";
import { Code } from "@connectrpc/connect";
import { Client, credentials } from "@grpc/grpc-js";
import { credentialsPath } from "../support/clients.ts";
import { DOORS, encodeCreate } from "../support/doors.ts";
import { type GivenDoors, GOOD_TOKEN, givenDoors } from "../support/given-doors.ts";
import { frame, rawGrpc } from "../support/raw-grpc.ts";
import { rawConnection } from "../support/raw-http.ts";
import { givenSlowLine } from "../support/slow-line.ts";

/** Far longer than any test may take: whoever waits for it fails by the test's own limit. */
const LONG_MS = 600_000;
const LIMIT = { timeout: 10_000 };

const GET = "GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n";

test(
  "idle connections of HTTP do not hold the drain, whether or not they have asked for something",
  LIMIT,
  async (t) => {
    const h = await givenDoors();
    t.after(() => h.stop());
    const kept = await rawConnection(h.httpUrl);
    kept.write(GET);
    await kept.answer();
    const silent = await rawConnection(h.httpUrl);
    const halfway = await rawConnection(h.httpUrl);
    halfway.write("GET /nowhere HTTP/1.1\r\nhost:");
    // Connections are taken in order: when this one is served, the server knows the others.
    const last = await rawConnection(h.httpUrl);
    last.write(GET);
    await last.answer();
    await Promise.all([h.http.close(LONG_MS), kept.closed, silent.closed, halfway.closed, last.closed]);
  },
);

test(
  "idle connections of HTTP/2 do not hold the drain, whether or not they have spoken",
  LIMIT,
  async (t) => {
    const h = await givenDoors();
    t.after(() => h.stop());
    const spoken = rawGrpc(h.grpcAddress);
    await spoken.call(Buffer.alloc(5));
    const { hostname, port } = new URL(`http://${h.grpcAddress}`);
    const silent = connect(Number(port), hostname);
    await new Promise((resolve) => silent.once("connect", resolve));
    const last = rawGrpc(h.grpcAddress);
    await last.call(Buffer.alloc(5));
    const closed = [spoken.session, last.session, silent].map(
      (end) => new Promise((resolve) => end.once("close", resolve)),
    );
    silent.resume();
    silent.on("error", () => {});
    await Promise.all([h.grpc.close(LONG_MS), ...closed]);
  },
);

for (const door of DOORS) {
  const doorOf = (h: GivenDoors) => (door.name === "gRPC" ? h.grpc : h.http);

  test(
    `a ${door.name} call in flight is finished by the drain, and a new connection is refused`,
    LIMIT,
    async (t) => {
      const gate = Promise.withResolvers<object>();
      const h = await givenDoors({ createCredential: () => gate.promise });
      t.after(() => h.stop());
      const reached = h.nextCall();
      const answer = door.create(h, { serviceAccountId: "sa-one" }, { token: GOOD_TOKEN });
      await reached;
      const closed = doorOf(h).close(LONG_MS);
      await assertRefusesConnections(door.name === "gRPC" ? h.grpcAddress : new URL(h.httpUrl).host);
      gate.resolve({});
      assert.equal((await answer).code, 0);
      await closed;
    },
  );

  test(`a ${door.name} call that does not end is cut when the drain's time is up`, LIMIT, async (t) => {
    const h = await givenDoors({ createCredential: () => new Promise(() => {}) });
    t.after(() => h.stop());
    const reached = h.nextCall();
    const answer = door.create(h, { serviceAccountId: "sa-one" }, { token: GOOD_TOKEN }).then(
      ({ code }) => code,
      () => Code.Unavailable,
    );
    const { signal } = await reached;
    await doorOf(h).close(20);
    assert.notEqual(await answer, 0);
    if (!signal.aborted) await new Promise((resolve) => signal.addEventListener("abort", resolve));
    assert.equal(signal.reason.fault.kind, "cancelled");
  });
}

test(
  "a call that was sent before its client heard of the drain is told as not begun: everybody may repeat it",
  LIMIT,
  async (t) => {
    const h = await givenDoors();
    t.after(() => h.stop());
    const line = await givenSlowLine(h.grpcAddress);
    t.after(() => line.stop());
    const client = rawGrpc(line.address);
    const body = frame(encodeCreate({ serviceAccountId: "sa-one" }));
    const headers = { authorization: `Bearer ${GOOD_TOKEN}` };
    assert.equal((await client.call(body, headers)).code, 0);
    line.holdAnswers();
    let isClosed = false;
    const closed = h.grpc.close(LONG_MS).then(() => {
      isClosed = true;
    });
    await line.held();
    const late = client.open(headers);
    late.on("error", () => {}).end(body);
    await line.passed();
    assert.equal(isClosed, false, "the connection stays until the client has heard");
    line.deliver();
    await new Promise((resolve) => late.once("close", resolve));
    assert.equal(late.rstCode, constants.NGHTTP2_REFUSED_STREAM);
    assert.equal(h.calls.length, 1);
    await closed;
  },
);

test("an answer that is given during a drain says that the connection closes", LIMIT, async (t) => {
  const gate = Promise.withResolvers<object>();
  const h = await givenDoors({ createCredential: () => gate.promise });
  t.after(() => h.stop());
  const reached = h.nextCall();
  const connection = await rawConnection(h.httpUrl);
  const head = [`POST ${credentialsPath("sa-one")} HTTP/1.1`, "host: a", "content-length: 0"];
  connection.write(`${[...head, `authorization: Bearer ${GOOD_TOKEN}`].join("\r\n")}\r\n\r\n`);
  await reached;
  const closed = h.http.close(LONG_MS);
  gate.resolve({});
  const answer = await connection.answer();
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get("connection"), "close");
  await Promise.all([closed, connection.closed]);
});

test(
  "a client that watches the health hears NOT_SERVING, and does not hold the drain beyond its time",
  LIMIT,
  async (t) => {
    const h = await givenDoors();
    t.after(() => h.stop());
    const client = new Client(h.grpcAddress, credentials.createInsecure());
    const watch = client.makeServerStreamRequest(
      "/grpc.health.v1.Health/Watch",
      Buffer.from,
      (bytes: Buffer) => bytes,
      Buffer.alloc(0),
    );
    watch.on("error", () => {});
    const statuses: number[] = [];
    const first = new Promise((resolve) => watch.once("data", resolve));
    watch.on("data", (bytes: Buffer) => statuses.push(bytes.at(-1) ?? -1));
    await first;
    await h.grpc.close(50);
    assert.deepEqual(statuses, [1, 2], "SERVING, then NOT_SERVING");
    client.close();
  },
);

test("a door that is closed can be opened again on its port at once", LIMIT, async (t) => {
  const h = await givenDoors();
  t.after(() => h.stop());
  const { port } = h.http;
  await h.stop();
  const server = (await import("node:http")).createServer();
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  await new Promise((resolve) => server.close(resolve));
});

async function assertRefusesConnections(address: string): Promise<void> {
  const { hostname, port } = new URL(`http://${address}`);
  const socket = connect(Number(port), hostname);
  const outcome = await new Promise((resolve) => {
    socket.once("connect", () => resolve("connected"));
    socket.once("error", (err: NodeJS.ErrnoException) => resolve(err.code));
  });
  socket.destroy();
  assert.equal(outcome, "ECONNREFUSED");
}
