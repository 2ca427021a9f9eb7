import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { credentialsPath, rest, restCreate } from "../support/clients.ts";
import { DOORS } from "../support/doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { CREATE_PATH } from "../support/raw-grpc.ts";
import { rawRequest } from "../support/raw-http.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

/** One error of each kind that the HTTP door makes before, at and behind the kernel. */
const ERRORS: readonly (readonly [what: string, status: number, method: string, path: () => string])[] = [
  ["no such path", 404, "POST", () => "/nowhere"],
  ["no such RPC", 404, "POST", () => "/keyturn.v1.CredentialService/Nothing"],
  ["another method of a path", 405, "PUT", () => credentialsPath("sa-one")],
  ["another method of an RPC", 405, "GET", () => CREATE_PATH],
  ["no token", 401, "POST", () => credentialsPath("sa-one")],
];

for (const [what, status, method, path] of ERRORS) {
  test(`${what} is answered ${status} in the seed's envelope, with a request id, and kept by no cache`, async () => {
    const { organizationId } = await h.givenAccount();
    const token = await h.token(organizationId);
    const res = await rest(h, path(), { method, ...(status === 401 ? {} : { token }) });
    assert.equal(res.status, status);
    assert.deepEqual(Object.keys(res.body), ["error"]);
    assert.deepEqual(Object.keys(res.body.error), ["code", "message", "details"]);
    assert.equal(res.body.error.code, status);
    assert.equal(typeof res.body.error.message, "string");
    const [info] = res.body.error.details;
    assert.equal(info["@type"], "type.googleapis.com/google.rpc.ErrorInfo");
    assert.equal(info.domain, "keyturn");
    assert.match(info.reason, /^[A-Z][A-Z_]+$/);
    assert.equal(res.headers.get("content-type"), "application/json");
    assert.equal(res.headers.get("cache-control"), "no-store");
    assert.match(res.headers.get("x-request-id") ?? "", UUID);
  });
}

test("a path that has other methods names them in Allow", async () => {
  const { organizationId } = await h.givenAccount();
  const token = await h.token(organizationId);
  const paths = { [credentialsPath("sa-one")]: "POST, GET", [CREATE_PATH]: "POST" };
  for (const [path, allowed] of Object.entries(paths)) {
    const res = await rest(h, path, { method: "DELETE", token });
    assert.equal(res.status, 405);
    assert.equal(res.headers.get("allow"), allowed);
    assert.equal(res.body.error.details[0].reason, "METHOD_NOT_ALLOWED");
  }
});

test("no other spelling of a path reaches a handler", async () => {
  const { organizationId, id } = await h.givenAccount();
  const authorization = `authorization: Bearer ${await h.token(organizationId)}`;
  const path = credentialsPath(id);
  const spellings = [
    `/${path}`,
    `${path}/`,
    path.replace("/v1/", "/V1/"),
    path.replace("/v1/", "/v1/./"),
    path.replace("/v1/", "/v1//"),
    `/v1/../v1${path.slice(3)}`,
    path.replace("credentials", "%63redentials"),
    path.replace(id, ".."),
    `${path};x=1`,
    `http://localhost${path}`,
    CREATE_PATH.toLowerCase(),
    `${CREATE_PATH}/`,
    "*",
  ];
  for (const spelling of spellings) {
    const head = [`POST ${spelling} HTTP/1.1`, "host: localhost", "content-length: 0", authorization];
    const answer = await rawRequest(h.httpUrl, `${head.join("\r\n")}\r\n\r\n`);
    assert.ok([400, 404].includes(answer.status), `${spelling} ${answer.status}`);
  }
});

test("a sane request id of the caller is echoed at every door, on success and on failure", async () => {
  const { organizationId, id } = await h.givenAccount();
  const headers = { "x-request-id": "caller-1.2:3_4" };
  const token = await h.token(organizationId);
  for (const door of DOORS) {
    const failed = await door.create(h, { serviceAccountId: id }, { headers });
    assert.equal(failed.header("x-request-id"), "caller-1.2:3_4", door.name);
  }
  const created = await rest(h, credentialsPath(id), { method: "POST", token, headers });
  assert.equal(created.headers.get("x-request-id"), "caller-1.2:3_4");
  assert.equal((await rest(h, "/nowhere", { headers })).headers.get("x-request-id"), "caller-1.2:3_4");
});

test("a request id that is not sane is replaced by one of ours, also where there is no such path", async () => {
  for (const path of [credentialsPath("sa-one"), "/nowhere"]) {
    for (const sent of ["", "a b", "<script>", "x".repeat(129), "caf\u00e9", "-leading"]) {
      const res = await rest(h, path, { method: "POST", headers: { "x-request-id": sent } });
      assert.match(res.headers.get("x-request-id") ?? "", UUID, JSON.stringify(sent));
    }
  }
});

test("headers beyond 16 KiB are refused with 431 in the seed's envelope", async () => {
  const head = ["POST /nowhere HTTP/1.1", "host: localhost", `x-long: ${"x".repeat(17 * 1024)}`];
  const answer = await rawRequest(h.httpUrl, `${head.join("\r\n")}\r\n\r\n`);
  assert.equal(answer.status, 431);
  assert.equal(answer.body.error.code, 431);
});

for (const [what, bytes] of [
  ["no HTTP at all", "hello\r\n\r\n"],
  ["an HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ["two lengths", "POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"],
  [
    "a length beside chunks",
    "POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
  ],
] as const) {
  test(`${what} is answered 400 in the seed's envelope`, async () => {
    const answer = await rawRequest(h.httpUrl, bytes);
    assert.equal(answer.status, 400);
    assert.equal(answer.body.error.details[0].reason, "INVALID_ARGUMENT");
  });
}

test("nothing of a created secret is kept by a cache, at every door of HTTP", async () => {
  const { organizationId, id } = await h.givenAccount();
  const token = await h.token(organizationId);
  assert.equal((await restCreate(h, id, token)).headers.get("cache-control"), "no-store");
  for (const door of DOORS.filter(({ name }) => name.startsWith("Connect") || name === "gRPC-Web")) {
    const answer = await door.create(h, { serviceAccountId: id }, { token });
    assert.equal(answer.code, 0);
    assert.equal(answer.header("cache-control"), "no-store", door.name);
  }
});
