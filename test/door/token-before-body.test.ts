import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Code } from "@connectrpc/connect";
import { credentialsPath, rest } from "../support/clients.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { CREATE_PATH, grpcAnswer, rawGrpc } from "../support/raw-grpc.ts";
import { rawConnection } from "../support/raw-http.ts";
import { assertNothingStored } from "../support/stored.ts";

let h: TestKeyturn;
let account: { readonly organizationId: string; readonly id: string };
let member: string;
before(async () => {
  h = await givenKeyturn();
  account = await h.givenAccount();
  member = await h.token(account.organizationId, { roles: ["member"] });
});
after(() => h.stop());

const REFUSED = [
  ["no token", () => undefined, 401, Code.Unauthenticated],
  ["a token that does not hold", () => "nonsense", 401, Code.Unauthenticated],
  ["a token without an administrator role", () => member, 403, Code.PermissionDenied],
] as const;

const CONTENT_TYPES = ["application/json", "application/proto", "application/grpc-web+proto"];

for (const [what, token, httpStatus, code] of REFUSED) {
  test(`a caller with ${what} is answered although his body never comes, at every door of HTTP`, async () => {
    const requests = [
      [credentialsPath(account.id), "application/json"],
      ...CONTENT_TYPES.map((contentType) => [CREATE_PATH, contentType]),
    ];
    for (const [path = "", contentType = ""] of requests) {
      const connection = await rawConnection(h.httpUrl);
      connection.write(head(path, contentType, token(), "content-length: 100"));
      const answer = await connection.answer();
      // gRPC-Web answers 200 and says the rest in its trailer.
      assert.equal(answer.status, contentType.includes("grpc-web") ? 200 : httpStatus, contentType);
      if (contentType.includes("grpc-web")) {
        assert.match(answer.text, new RegExp(`grpc-status: ${code}\\r\\n`));
      }
      connection.socket.destroy();
    }
  });

  test(`a caller with ${what} is answered although his body never comes, over gRPC`, async () => {
    const grpc = rawGrpc(h.grpcAddress);
    try {
      const sent = token();
      const stream = grpc.open(sent === undefined ? {} : { authorization: `Bearer ${sent}` });
      assert.equal((await grpcAnswer(stream)).code, code);
    } finally {
      grpc.close();
    }
  });

  test(`a caller with ${what} hears of that, and of no fault in his body, at every door`, async () => {
    const sent = token();
    const init = { method: "POST", ...(sent === undefined ? {} : { token: sent }) };
    const json = { "content-type": "application/json" };
    for (const path of [credentialsPath("NOT AN ID"), credentialsPath(account.id), CREATE_PATH]) {
      for (const body of ["{", '{"x":1}', "\xff", "x".repeat(100_000)]) {
        assert.equal((await rest(h, path, { ...init, headers: json, body })).status, httpStatus, path);
      }
    }
    const headers = { "content-type": "application/proto" };
    assert.equal((await rest(h, CREATE_PATH, { ...init, headers, body: "garbage" })).status, httpStatus);
    const grpc = rawGrpc(h.grpcAddress);
    try {
      const answer = await grpc.call(
        Buffer.from("garbage"),
        sent === undefined ? {} : { authorization: `Bearer ${sent}` },
      );
      assert.equal(answer.code, code);
    } finally {
      grpc.close();
    }
    await assertNothingStored(h, account.id);
  });
}

test("a caller without a token hears of that, and not of his content type", async () => {
  for (const path of [credentialsPath(account.id), CREATE_PATH]) {
    for (const contentType of ["", "text/plain", "application/grpc"]) {
      const headers = { "content-type": contentType };
      assert.equal((await rest(h, path, { method: "POST", headers, body: "{}" })).status, 401, path);
    }
  }
});

test("a malformed request is refused before its account is looked up", async () => {
  const token = await h.token(account.organizationId);
  const headers = { "content-type": "application/json" };
  for (const path of [credentialsPath("NOT-AN-ID"), credentialsPath("sa-nobody")]) {
    const res = await rest(h, path, { method: "POST", token, headers, body: '{"expiresat":"x"}' });
    assert.equal(res.status, 400, path);
  }
});

test("an unknown account is told before an expiry that is out of bounds, and that before the limit", async () => {
  const token = await h.token(account.organizationId);
  const init = { method: "POST", token, headers: { "content-type": "application/json" } };
  const past = JSON.stringify({ expiresAt: "2001-01-01T00:00:00Z" });
  assert.equal((await rest(h, credentialsPath("sa-nobody"), { ...init, body: past })).status, 404);
  const full = await h.givenAccount(account.organizationId);
  for (let count = 0; count < 5; count++) {
    assert.equal((await rest(h, credentialsPath(full.id), { ...init, body: "{}" })).status, 201);
  }
  assert.equal((await rest(h, credentialsPath(full.id), { ...init, body: past })).status, 422);
  assert.equal((await rest(h, credentialsPath(full.id), { ...init, body: "{}" })).status, 409);
});

test("two Authorization headers are no token over HTTP", async () => {
  const { organizationId, id } = await h.givenAccount();
  const token = await h.token(organizationId);
  const twice = `authorization: Bearer ${token}`;
  for (const path of [credentialsPath(id), CREATE_PATH]) {
    const connection = await rawConnection(h.httpUrl);
    connection.write(`${head(path, "application/json", token, "content-length: 2", twice)}{}`);
    assert.equal((await connection.answer()).status, 401, path);
    connection.socket.destroy();
  }
  await assertNothingStored(h, id);
});

function head(path: string, contentType: string, token: string | undefined, ...lines: string[]): string {
  const authorization = token === undefined ? [] : [`authorization: Bearer ${token}`];
  const all = [
    `POST ${path} HTTP/1.1`,
    "host: localhost",
    `content-type: ${contentType}`,
    ...authorization,
    ...lines,
  ];
  return `${all.join("\r\n")}\r\n\r\n`;
}
