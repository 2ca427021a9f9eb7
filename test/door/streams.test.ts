import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeCreate } from "../support/doors.ts";
import { GOOD_TOKEN, givenDoors } from "../support/given-doors.ts";
import { givenKeyturn } from "../support/keyturn.ts";
import { frame, grpcAnswer, rawGrpc } from "../support/raw-grpc.ts";
import { eventually } from "../support/stored.ts";

const headers = { authorization: `Bearer ${GOOD_TOKEN}` };
const message = () => frame(encodeCreate({ serviceAccountId: "sa-one" }));

test("one HTTP/2 connection runs as many calls at a time as it may, and the rest after them", async () => {
  const gate = Promise.withResolvers<object>();
  const h = await givenDoors({ concurrentStreamsMax: 2, createCredential: () => gate.promise });
  const grpc = rawGrpc(h.grpcAddress);
  try {
    // The client learns the bound from the server's settings.
    await new Promise((resolve) => grpc.session.once("remoteSettings", resolve));
    const answers = Array.from({ length: 6 }, () => grpc.call(message(), headers));
    await eventually(
      () => h.calls.length,
      (count) => count === 2,
    );
    // Whatever was sent before this ping has been seen by the server when its answer is here.
    await new Promise((resolve) => grpc.session.ping(resolve));
    assert.equal(h.calls.length, 2);
    gate.resolve({});
    assert.deepEqual(
      (await Promise.all(answers)).map(({ code }) => code),
      [0, 0, 0, 0, 0, 0],
    );
  } finally {
    grpc.close();
    await h.stop();
  }
});

test("the server allows a hundred streams a connection", async () => {
  const h = await givenKeyturn();
  const grpc = rawGrpc(h.grpcAddress);
  try {
    await grpcAnswer(grpc.open());
    assert.equal(grpc.session.remoteSettings.maxConcurrentStreams, 100);
  } finally {
    grpc.close();
    await h.stop();
  }
});
