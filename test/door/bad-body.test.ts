import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { credentialsPath, rest } from "../support/clients.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { CREATE_PATH } from "../support/raw-grpc.ts";
import { assertAlive, assertNothingStored } from "../support/stored.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

type Body = string | Uint8Array<ArrayBuffer>;

const bytes = (...parts: (string | number[])[]): Uint8Array<ArrayBuffer> =>
  Uint8Array.from(Buffer.concat(parts.map((part) => Buffer.from(part as string))));

/** Bodies without the account's id, which the REST edge takes from the path; Connect's get it put in front. */
const BAD: readonly (readonly [what: string, members: Body, field: string])[] = [
  ["JSON that breaks off", `"expiresAt": `, ""],
  ["a trailing comma", `"expiresAt": null,`, ""],
  ["single quotes", `'expiresAt': null`, ""],
  ["a comment", `/* none */ "expiresAt": null`, ""],
  ["invalid UTF-8", bytes(`"expiresAt": "`, [0xff], `"`), ""],
  ["an overlong encoding", bytes(`"x": "`, [0xc0, 0xaf], `"`), ""],
  ["a lone surrogate", `"x": "\\ud800"`, ""],
  ["a duplicate key", `"expiresAt": null, "expiresAt": null`, "expiresAt"],
  ["a duplicate key behind an escape", `"expiresAt": null, "\\u0065xpiresAt": null`, "expiresAt"],
  ["an unknown field", `"expiresat": "2999-01-01T00:00:00Z"`, "expiresat"],
  ["an unknown field named __proto__", `"__proto__": {"expiresAt": null}`, "__proto__"],
  ["a field of the answer", `"clientSecret": "mine"`, "clientSecret"],
  ["deep nesting", `"x": ${"[".repeat(5_000)}${"]".repeat(5_000)}`, ""],
];

const inBraces = (lead: string, members: Body, tail = "}") =>
  bytes(`{${lead}`, [...Buffer.from(members as string)], tail);

for (const [what, members, field] of BAD) {
  test(`${what} in a body is refused over REST and Connect, and nothing is stored`, async () => {
    const { organizationId, id } = await h.givenAccount();
    const init = {
      method: "POST",
      token: await h.token(organizationId),
      headers: { "content-type": "application/json" },
    };
    const tail = what === "JSON that breaks off" ? "" : "}";

    const viaRest = await rest(h, credentialsPath(id), { ...init, body: inBraces("", members, tail) });
    assert.equal(viaRest.status, 400);
    assert.equal(viaRest.body.error.code, 400);
    assert.equal(viaRest.body.error.details[0].reason, "INVALID_ARGUMENT");
    assert.equal(viaRest.body.error.details[1].fieldViolations[0].field ?? "", field);

    const lead = `"serviceAccountId": "${id}", `;
    const viaConnect = await rest(h, CREATE_PATH, { ...init, body: inBraces(lead, members, tail) });
    assert.equal(viaConnect.status, 400);
    assert.equal(viaConnect.body.code, "invalid_argument");
    assert.equal(viaConnect.body.details[0].type, "google.rpc.ErrorInfo");
    assert.equal(viaConnect.body.details[1].debug?.fieldViolations?.[0]?.field ?? "", field);
    await assertNothingStored(h, id);
    await assertAlive(h);
  });
}

for (const body of ["[]", "1", '"{}"', "true", "{}{}", "\ufeff{}"]) {
  test(`a body that is ${JSON.stringify(body)} is refused over REST and Connect, and nothing is stored`, async () => {
    const { organizationId, id } = await h.givenAccount();
    const init = {
      method: "POST",
      token: await h.token(organizationId),
      headers: { "content-type": "application/json" },
    };
    for (const path of [credentialsPath(id), CREATE_PATH]) {
      assert.equal((await rest(h, path, { ...init, body })).status, 400, path);
    }
    await assertNothingStored(h, id);
  });
}

test("a field of the path that also stands in the body is refused, under either of its names", async () => {
  const { organizationId, id } = await h.givenAccount();
  const init = {
    method: "POST",
    token: await h.token(organizationId),
    headers: { "content-type": "application/json" },
  };
  for (const name of ["serviceAccountId", "service_account_id"]) {
    const res = await rest(h, credentialsPath(id), { ...init, body: JSON.stringify({ [name]: id }) });
    assert.equal(res.status, 400);
    assert.equal(res.body.error.details[1].fieldViolations[0].field, name);
  }
  await assertNothingStored(h, id);
});

test("a parameter in the query is refused by its name, so that no misspelt one is ignored", async () => {
  const { organizationId, id } = await h.givenAccount();
  const token = await h.token(organizationId);
  const res = await rest(h, `${credentialsPath(id)}?expiresAt=2999-01-01T00:00:00Z`, {
    method: "POST",
    token,
  });
  assert.equal(res.status, 400);
  assert.equal(res.body.error.details[1].fieldViolations[0].field, "expiresAt");
  await assertNothingStored(h, id);
});

const CONTENT_TYPES = [
  "",
  "text/plain",
  "application/x-www-form-urlencoded",
  "application/jsonp",
  "application/json; charset=utf-16",
  "application/grpc",
  "application/grpc-web+json",
  "application/grpc-web-text",
  "application/connect+json",
];

for (const contentType of CONTENT_TYPES) {
  test(`the content type "${contentType}" is refused with 415 over REST and on an RPC's path, and nothing is stored`, async () => {
    const { organizationId, id } = await h.givenAccount();
    const init = {
      method: "POST",
      token: await h.token(organizationId),
      headers: { "content-type": contentType },
    };
    for (const path of [credentialsPath(id), CREATE_PATH]) {
      const res = await rest(h, path, { ...init, body: bytes(`{"serviceAccountId":"${id}"}`) });
      assert.equal(res.status, 415, path);
      assert.equal(res.body.error.code, 415);
      assert.equal(res.body.error.details[0].reason, "CONTENT_TYPE_UNSUPPORTED");
    }
    await assertNothingStored(h, id);
  });
}

test("a body with a content encoding is refused, and nothing is stored", async () => {
  const { organizationId, id } = await h.givenAccount();
  const token = await h.token(organizationId);
  const headers = { "content-type": "application/json", "content-encoding": "gzip" };
  const viaRest = await rest(h, credentialsPath(id), { method: "POST", token, headers, body: "{}" });
  assert.equal(viaRest.status, 415);
  const viaConnect = await rest(h, CREATE_PATH, { method: "POST", token, headers, body: "{}" });
  assert.equal(viaConnect.body.details[0].debug.reason, "CONTENT_TYPE_UNSUPPORTED");
  await assertNothingStored(h, id);
});
