import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { credentialsPath } from "../support/clients.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { CREATE_PATH, rawGrpc } from "../support/raw-grpc.ts";
import { type RawAnswer, rawRequest } from "../support/raw-http.ts";
import { assertAlive } from "../support/stored.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

const PATHS = [CREATE_PATH, credentialsPath("sa-one"), "/nowhere"];

/** Header lines, each of which ended the process or misled a proxy in some server. */
const HOSTILE: readonly (readonly [what: string, version: "1.0" | "1.1", lines: readonly string[]])[] = [
  ["an open bracket", "1.1", ["Host: ["]],
  ["a space", "1.1", ["Host: a b"]],
  ["nothing", "1.1", ["Host:"]],
  ["a port that is none", "1.1", ["Host: a:99999"]],
  ["a port of letters", "1.1", ["Host: a:b"]],
  ["a path", "1.1", ["Host: a/b"]],
  ["a query", "1.1", ["Host: a?b"]],
  ["user information", "1.1", ["Host: user@a"]],
  ["bytes beyond ASCII", "1.1", ["Host: \u00ff\u00fe"]],
  ["two headers", "1.1", ["Host: a", "Host: b"]],
  ["no header", "1.1", []],
  ["no header in HTTP/1.0", "1.0", []],
];

const post = (path: string, version: string, lines: readonly string[]): Promise<RawAnswer> => {
  const head = [
    `POST ${path} HTTP/${version}`,
    ...lines,
    "content-type: application/json",
    "content-length: 2",
  ];
  return rawRequest(h.httpUrl, Buffer.from(`${head.join("\r\n")}\r\n\r\n{}`, "latin1"));
};

for (const [what, version, lines] of HOSTILE) {
  test(`a Host header with ${what} is answered 400 on every path, and the process lives on`, async () => {
    for (const path of PATHS) {
      const answer = await post(path, version, lines);
      assert.equal(answer.status, 400, path);
      assert.equal(answer.body.error.code, 400);
      assert.equal(answer.body.error.details[0].reason, "INVALID_ARGUMENT");
      assert.equal(answer.body.error.details[1].fieldViolations[0].field, "host");
      assert.notEqual(answer.headers.get("x-request-id") ?? "", "");
    }
    await assertAlive(h);
  });
}

for (const host of [
  "localhost",
  "127.0.0.1:8080",
  "[::1]:8080",
  "[2001:db8::1]",
  "api.example:443",
  "xn--bcher-kva.example",
]) {
  test(`the Host header ${host} is served`, async () => {
    for (const path of [CREATE_PATH, credentialsPath("sa-one")]) {
      assert.equal((await post(path, "1.1", [`Host: ${host}`])).status, 401, path);
    }
  });
}

for (const authority of ["[", "a b", "", "a:99999", "user@a"]) {
  test(`the authority "${authority}" over HTTP/2 harms nothing`, async () => {
    const grpc = rawGrpc(h.grpcAddress);
    try {
      const answer = await grpc.call(Buffer.alloc(5), { ":authority": authority });
      // Some the HTTP/2 library refuses by itself; what it lets through is refused for its token.
      assert.ok([-1, Code.Unauthenticated].includes(answer.code));
    } finally {
      grpc.close();
    }
    await assertAlive(h);
  });
}
