import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import { Code } from "@connectrpc/connect";
import postgres from "postgres";
import { credentialsPath } from "../support/clients.ts";
import { DOORS, encodeCreate } from "../support/doors.ts";
import { GOOD_TOKEN, givenDoors } from "../support/given-doors.ts";
import { givenKeyturn } from "../support/keyturn.ts";
import { frame, grpcAnswer, rawGrpc } from "../support/raw-grpc.ts";
import { rawConnection } from "../support/raw-http.ts";
import { assertAlive, assertNothingStored, eventually } from "../support/stored.ts";

const never = () => new Promise<never>(() => {});
const timeoutHeaders = (ms: number) => ({ "connect-timeout-ms": String(ms), "grpc-timeout": `${ms}m` });

for (const door of DOORS) {
  test(`a ${door.name} call without a deadline gets the server's own`, async () => {
    const h = await givenDoors({
      createCredential: never,
      deadlines: { defaultDeadlineMs: 50, deadlineMsMax: 30_000 },
    });
    try {
      const answer = await door.create(h, { serviceAccountId: "sa-one" }, { token: GOOD_TOKEN });
      assert.deepEqual([answer.code, answer.reason], [Code.DeadlineExceeded, "DEADLINE_EXCEEDED"]);
      if (door.name === "REST") assert.equal(answer.httpStatus, 504);
      assert.equal(h.calls[0]?.signal.aborted, true, "the work behind it is told");
    } finally {
      await h.stop();
    }
  });

  test(`a ${door.name} call with a deadline beyond the cap gets the cap`, async () => {
    const h = await givenDoors({
      createCredential: never,
      deadlines: { defaultDeadlineMs: 30_000, deadlineMsMax: 50 },
    });
    try {
      const call = { token: GOOD_TOKEN, headers: timeoutHeaders(3_600_000) };
      const answer = await door.create(h, { serviceAccountId: "sa-one" }, call);
      assert.deepEqual([answer.code, answer.reason], [Code.DeadlineExceeded, "DEADLINE_EXCEEDED"]);
    } finally {
      await h.stop();
    }
  });
}

/** Beyond 2^31 ms, where timers of Node and 32-bit arithmetic of libraries turn over; and what is no number at all. */
const ABSURD = [
  "2592000S",
  "99999999H",
  "99999999S",
  "4294967296m",
  "-5S",
  "5",
  "S",
  "1e9S",
  "99999999999999999999H",
];

for (const timeout of ABSURD) {
  test(`the grpc-timeout ${timeout} does not make a call late, over gRPC and gRPC-Web`, async () => {
    // Long enough for a timer that turned over to fire.
    const h = await givenDoors({ createCredential: () => pause(30, {}) });
    const grpc = rawGrpc(h.grpcAddress);
    try {
      const headers = { authorization: `Bearer ${GOOD_TOKEN}`, "grpc-timeout": timeout };
      assert.equal((await grpc.call(frame(encodeCreate({ serviceAccountId: "sa-one" })), headers)).code, 0);
      for (const door of DOORS.filter(({ name }) => name === "gRPC-Web")) {
        const call = { token: GOOD_TOKEN, headers: { "grpc-timeout": timeout } };
        assert.equal((await door.create(h, { serviceAccountId: "sa-one" }, call)).code, 0);
      }
    } finally {
      grpc.close();
      await h.stop();
    }
  });
}

for (const timeout of ["9999999999", "2592000000", "99999999999999999999", "-5", "abc", "1e9"]) {
  test(`the Connect-Timeout-Ms ${timeout} does not make a call late`, async () => {
    const h = await givenDoors({ createCredential: () => pause(30, {}) });
    try {
      const call = { token: GOOD_TOKEN, headers: { "connect-timeout-ms": timeout } };
      for (const door of DOORS.filter(({ name }) => name.startsWith("Connect") || name === "REST")) {
        assert.equal((await door.create(h, { serviceAccountId: "sa-one" }, call)).code, 0, door.name);
      }
    } finally {
      await h.stop();
    }
  });
}

test("a body that never comes ends with the deadline, at every door", async () => {
  const h = await givenDoors({ deadlines: { defaultDeadlineMs: 50, deadlineMsMax: 30_000 } });
  const grpc = rawGrpc(h.grpcAddress);
  try {
    const answer = await grpcAnswer(grpc.open({ authorization: `Bearer ${GOOD_TOKEN}` }));
    assert.deepEqual([answer.code, answer.reason], [Code.DeadlineExceeded, "DEADLINE_EXCEEDED"]);
    for (const path of [credentialsPath("sa-one"), "/keyturn.v1.CredentialService/CreateCredential"]) {
      const connection = await rawConnection(h.httpUrl);
      const head = [
        `POST ${path} HTTP/1.1`,
        "host: a",
        "content-type: application/json",
        "content-length: 9",
      ];
      connection.write(`${[...head, `authorization: Bearer ${GOOD_TOKEN}`].join("\r\n")}\r\n\r\n{`);
      assert.equal((await connection.answer()).status, 504, path);
      connection.socket.destroy();
    }
    assert.equal(h.calls.length, 0);
  } finally {
    grpc.close();
    await h.stop();
  }
});

test("a deadline that ends while the account is locked is told as such at every door, and nothing is stored later", async () => {
  const h = await givenKeyturn();
  const lock = postgres(h.db.superuserUrl, { max: 1 });
  try {
    const { organizationId, id } = await h.givenAccount();
    const token = await h.token(organizationId);
    await lock`begin`;
    await lock`select from keyturn.service_accounts where id = ${id} for update`;
    const answers = await Promise.all(
      DOORS.map((door) => door.create(h, { serviceAccountId: id }, { token, headers: timeoutHeaders(80) })),
    );
    for (const [at, answer] of answers.entries()) {
      const expected = [Code.DeadlineExceeded, "DEADLINE_EXCEEDED"];
      assert.deepEqual([answer.code, answer.reason], expected, DOORS[at]?.name);
    }
    await lock`rollback`;
    await eventually(
      () =>
        h.db
          .sql`select from pg_stat_activity where application_name = 'keyturn' and state = 'active' and datname = ${h.db.name}`,
      (rows) => rows.length === 0,
    );
    await assertNothingStored(h, id);
    await assertAlive(h);
  } finally {
    await lock.end({ timeout: 1 });
    await h.stop();
  }
});
