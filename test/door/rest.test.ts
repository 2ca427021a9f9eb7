import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { FaultError } from "../../src/domain/fault.ts";
import { openHttpDoor } from "../../src/door/http.ts";
import type { OpenDoor } from "../../src/door/http-server.ts";
import { openCall } from "../../src/rpc/call.ts";
import type { Kernel } from "../../src/rpc/kernel.ts";
import { binding, givenMethods } from "../support/given-service.ts";
import { rawConnection, rawRequest } from "../support/raw-http.ts";

const body = { body: "*" };
const methods = givenMethods({
  ListThings: binding("get", "/things"),
  GetThing: binding("get", "/things/{id}"),
  CreateThing: binding("post", "/things", body),
  UpdateThing: binding("patch", "/things/{id}", body),
  DeleteThing: binding("delete", "/things/{id}"),
});

/** What the kernel got last. */
let received: unknown;

/** A kernel that lets everybody in and answers with what it was asked. */
const echo: Kernel = {
  open: (options) => openCall(options, { defaultDeadlineMs: 5_000, deadlineMsMax: 5_000 }),
  admits: async (call) => call.header("authorization") !== "none",
  async invoke(call, read, encode) {
    try {
      if (call.header("authorization") === "none")
        throw new FaultError({ kind: "unauthenticated", refusal: "missing" });
      received = read();
      return encode(create(call.method.output, received as MessageShape<DescMessage>));
    } catch (err) {
      call.fault = err instanceof FaultError ? err.fault : { kind: "internal" };
      throw err;
    } finally {
      call.finish();
    }
  },
  methods,
  interceptors: [],
  route: () => {},
};

let door: OpenDoor;
let url: string;
before(async () => {
  door = await openHttpDoor({
    kernel: echo,
    host: "127.0.0.1",
    port: 0,
    messageBytesMax: 1024,
    headerBytesMax: 16 * 1024,
    onUnrouted: () => {},
    onDefect: (err) => assert.fail(String(err)),
  });
  url = `http://127.0.0.1:${door.port}`;
});
after(() => door.close(0));

const head = (request: string, ...lines: string[]) =>
  `${[`${request} HTTP/1.1`, "host: a", ...lines].join("\r\n")}\r\n\r\n`;

const send = (request: string, ...lines: string[]) => rawRequest(url, head(request, ...lines));

const sendJson = (request: string, json: string, ...lines: string[]) =>
  rawRequest(
    url,
    head(request, "content-type: application/json", `content-length: ${json.length}`, ...lines) + json,
  );

for (const length of ["content-length: 7", "content-length: 5000000", "transfer-encoding: chunked"]) {
  for (const request of ["GET /things", "GET /things/t", "DELETE /things/t"]) {
    test(`${request} with ${length} is refused although its body never comes`, async () => {
      received = undefined;
      const answer = await send(request, length);
      assert.equal(answer.status, 400);
      assert.equal(answer.body.error.details[0].reason, "INVALID_ARGUMENT");
      assert.match(answer.body.error.message, /no body/);
      assert.equal(received, undefined);
    });
  }
}

test("an empty body is none", async () => {
  assert.equal((await send("GET /things", "content-length: 0")).status, 200);
});

test("a body that was refused is never read as the next request", async () => {
  const smuggled = head("DELETE /things/smuggled");
  const connection = await rawConnection(url);
  connection.write(head("GET /things/first", `content-length: ${smuggled.length}`) + smuggled);
  assert.equal((await connection.answer()).status, 400);
  connection.write(head("GET /things/second"));
  const answer = await connection.answer();
  assert.deepEqual([answer.status, answer.body.id], [200, "second"]);
  connection.socket.destroy();
});

test("a caller who may not call hears of that and of nothing that is wrong with his request", async () => {
  const none = "authorization: none";
  assert.equal((await send("GET /things?sise=%", none, "content-length: 7")).status, 401);
  assert.equal((await sendJson("POST /things?sise=%", "{", none)).status, 401);
});

test("the query begins at the first question mark", async () => {
  assert.equal((await send("GET /things?note=a?note=b")).body.note, "a?note=b");
  assert.equal((await send("GET /things?note=a?x&sise=1")).status, 400);
  assert.equal((await send("GET /things?")).status, 200);
  assert.equal((await send("GET /things/t?note=/things/u")).body.id, "t");
});

test("bytes beyond ASCII in the request line are refused", async () => {
  for (const request of ["GET /things?note=\u00fc", "GET /things/\u00fc", "GET /things?n\u00fcte=x"]) {
    assert.equal((await send(request)).status, 400, request);
  }
});

test("a create is answered 201 with no Location when its answer has no self link", async () => {
  const answer = await sendJson("POST /things", '{"note":"x","color":"dark_blue"}');
  assert.equal(answer.status, 201);
  assert.equal(answer.headers.get("location"), undefined);
  assert.deepEqual([answer.body.note, answer.body.color], ["x", "dark_blue"]);
});

test("a delete is answered 204 with no body at all, unless it writes nothing", async () => {
  const answer = await send("DELETE /things/t");
  assert.equal(answer.status, 204);
  assert.equal(answer.text, "");
  assert.equal(answer.headers.get("content-type"), undefined);
  assert.equal(answer.headers.get("cache-control"), "no-store");
  const dry = await send("DELETE /things/t?validateOnly=true&etag=e");
  assert.deepEqual([dry.status, dry.body.id, dry.body.etag], [200, "t", "e"]);
});

test("a body may be empty, null or {}, with or without a content type", async () => {
  for (const json of ["", "null", "{}"]) assert.equal((await sendJson("POST /things", json)).status, 201);
  assert.equal((await send("POST /things", "content-length: 0")).status, 201);
  for (const json of ["[]", "1", '"x"', "true"]) {
    assert.equal((await sendJson("POST /things", json)).status, 400, json);
  }
});

test("a PATCH without a mask changes what its body has", async () => {
  const answer = await sendJson("PATCH /things/t", '{"note":"x","tags":[],"etag":"e"}');
  assert.equal(answer.body.updateMask, "note,tags");
});

test("an Idempotency-Key is the request id, and two of them are one that nobody could mean", async () => {
  const one = await sendJson("POST /things", "{}", "Idempotency-Key: k");
  assert.equal(one.body.requestId, "k");
  const two = await sendJson("POST /things", "{}", "Idempotency-Key: k", "idempotency-key: l");
  assert.equal(two.body.requestId, "k, l");
  assert.equal((await sendJson("POST /things", "{}", "Idempotency-Key:")).status, 400);
  assert.equal((await sendJson("POST /things", '{"requestId":"l"}', "Idempotency-Key: k")).status, 400);
});

test("a path that is not there is 404, and another method is 405 with those that are", async () => {
  for (const path of ["/things/t:stop", "/things/", "/thing", "/things/t/", "/things:"]) {
    const answer = await send(`GET ${path}`);
    assert.equal(answer.status, 404, path);
    assert.equal(answer.body.error.details[0].reason, "ROUTE_UNKNOWN");
  }
  for (const method of ["PUT", "POST", "OPTIONS"]) {
    const answer = await send(`${method} /things/t`);
    assert.equal(answer.status, 405, method);
    assert.equal(answer.headers.get("allow"), "GET, PATCH, DELETE");
  }
});
