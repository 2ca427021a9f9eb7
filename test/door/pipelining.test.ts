import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { credentialsPath } from "../support/clients.ts";
import { type GivenDoors, GOOD_TOKEN, givenDoors } from "../support/given-doors.ts";
import { rawConnection } from "../support/raw-http.ts";

const LIMIT = { timeout: 10_000 };

let h: GivenDoors;
before(async () => {
  h = await givenDoors();
});
after(() => h.stop());

const CREATE = [
  `POST ${credentialsPath("sa-one")} HTTP/1.1`,
  "host: a",
  `authorization: Bearer ${GOOD_TOKEN}`,
  "content-length: 0",
  "\r\n",
].join("\r\n");

test(
  "a hundred requests that are sent ahead of their answers are answered, and a hundred more after them",
  LIMIT,
  async () => {
    const connection = await rawConnection(h.httpUrl);
    for (let round = 0; round < 2; round += 1) {
      connection.write(CREATE.repeat(100));
      for (let count = 0; count < 100; count += 1) assert.equal((await connection.answer()).status, 201);
    }
    connection.socket.destroy();
  },
);

test(
  "a connection with more requests than that unanswered is cut, and nothing of the rest is done",
  LIMIT,
  async () => {
    const before = h.calls.length;
    const connection = await rawConnection(h.httpUrl);
    connection.write(CREATE.repeat(300));
    await connection.closed;
    assert.ok(h.calls.length - before <= 100, `${h.calls.length - before} calls`);
    const next = await rawConnection(h.httpUrl);
    next.write(CREATE);
    assert.equal((await next.answer()).status, 201, "its client may come again");
    next.socket.destroy();
  },
);
