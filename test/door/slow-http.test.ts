import assert from "node:assert/strict";
import { test } from "node:test";
import { credentialsPath } from "../support/clients.ts";
import { GOOD_TOKEN, givenDoors } from "../support/given-doors.ts";
import { CREATE_PATH } from "../support/raw-grpc.ts";
import { rawConnection } from "../support/raw-http.ts";

const LONG_MS = 600_000;
/** Whoever is not cut waits for one of the long time-outs and fails by this. */
const LIMIT = { timeout: 10_000 };
const PATIENT = { headersMsMax: LONG_MS, requestMsMax: LONG_MS, idleMsMax: LONG_MS, checkIntervalMs: 5 };

test("headers that do not end are cut with 408", LIMIT, async (t) => {
  const h = await givenDoors({ httpTimeouts: { ...PATIENT, headersMsMax: 50 } });
  t.after(() => h.stop());
  const slow = await rawConnection(h.httpUrl);
  slow.write(`POST ${CREATE_PATH} HTTP/1.1\r\nhost: a\r\nx-slow: `);
  const trickle = setInterval(() => slow.write("x"), 5);
  t.after(() => clearInterval(trickle));
  const answer = await slow.answer();
  assert.equal(answer.status, 408);
  assert.equal(answer.body.error.code, 408);
  await slow.closed;
});

test("a connection that says nothing is cut", LIMIT, async (t) => {
  const h = await givenDoors({ httpTimeouts: { ...PATIENT, headersMsMax: 50 } });
  t.after(() => h.stop());
  await (await rawConnection(h.httpUrl)).closed;
});

for (const path of [credentialsPath("sa-one"), CREATE_PATH]) {
  test(`a body that does not end is cut, on ${path}`, LIMIT, async (t) => {
    const deadlines = { defaultDeadlineMs: LONG_MS, deadlineMsMax: LONG_MS };
    const h = await givenDoors({
      deadlines,
      httpTimeouts: { ...PATIENT, headersMsMax: 50, requestMsMax: 50 },
    });
    t.after(() => h.stop());
    const slow = await rawConnection(h.httpUrl);
    const head = [
      `POST ${path} HTTP/1.1`,
      "host: a",
      "content-type: application/json",
      "content-length: 50000",
    ];
    slow.write(`${[...head, `authorization: Bearer ${GOOD_TOKEN}`].join("\r\n")}\r\n\r\n{`);
    const trickle = setInterval(() => slow.write(" "), 5);
    t.after(() => clearInterval(trickle));
    await slow.closed;
    clearInterval(trickle);
    assert.equal(h.calls.length, 0);
  });
}

test("a connection between two requests is kept for a while, and then closed", LIMIT, async (t) => {
  const h = await givenDoors({ httpTimeouts: { ...PATIENT, idleMsMax: 50 } });
  t.after(() => h.stop());
  const idle = await rawConnection(h.httpUrl);
  for (let count = 0; count < 2; count++) {
    idle.write("GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n");
    assert.equal((await idle.answer()).status, 404);
  }
  await idle.closed;
});
