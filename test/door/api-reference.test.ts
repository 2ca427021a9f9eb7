import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { rest } from "../support/clients.ts";
import { fromRest } from "../support/doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

const PATHS: readonly (readonly [path: string, contentType: string, file: string])[] = [
  ["/openapi.json", "application/json", "gen/openapi.json"],
  ["/docs", "text/html; charset=utf-8", "src/door/reference-page/page.html"],
  ["/docs/page.js", "text/javascript; charset=utf-8", "src/door/reference-page/page.js"],
  ["/docs/swagger-ui.css", "text/css; charset=utf-8", "node_modules/swagger-ui-dist/swagger-ui.css"],
  [
    "/docs/swagger-ui-bundle.js",
    "text/javascript; charset=utf-8",
    "node_modules/swagger-ui-dist/swagger-ui-bundle.js",
  ],
];

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

for (const [path, contentType, file] of PATHS) {
  test(`${path} is there for everybody, and sent once until it changes`, async () => {
    const { status, headers, text } = await rest(h, path, { headers: { "x-request-id": "look-1" } });
    assert.equal(status, 200);
    assert.equal(headers.get("content-type"), contentType);
    assert.equal(text, readFileSync(file, "utf8"));
    assert.equal(headers.get("cache-control"), "no-cache");
    assert.equal(headers.get("x-request-id"), "look-1");

    const etag = headers.get("etag") ?? "";
    assert.match(etag, /^"[\w-]{43}"$/);
    for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
      const again = await rest(h, path, { headers: { "if-none-match": known } });
      assert.deepEqual([again.status, again.text, again.headers.get("etag")], [304, "", etag]);
    }
    const changed = await rest(h, path, { headers: { "if-none-match": '"other"' } });
    assert.equal(changed.status, 200);

    const head = await rest(h, path, { method: "HEAD" });
    assert.deepEqual([head.status, head.text], [200, ""]);
    assert.equal(Number(head.headers.get("content-length")), Buffer.byteLength(text));
  });

  test(`${path} may be read only, and takes in nothing from elsewhere`, async () => {
    const posted = await rest(h, path, { method: "POST" });
    assert.equal(posted.status, 405);
    assert.equal(posted.headers.get("allow"), "GET, HEAD");
    const { headers } = await rest(h, path);
    const policy = headers.get("content-security-policy") ?? "";
    assert.match(policy, /^default-src 'none';/);
    assert.doesNotMatch(policy, /unsafe|https?:|\*/);
    assert.equal(headers.get("x-content-type-options"), "nosniff");
  });
}

test("nothing else of the disk is there", async () => {
  for (const path of [
    "/docs/",
    "/docs/swagger-ui.css.map",
    "/docs/%2e%2e/package.json",
    "/openapi.json/",
    "/package.json",
  ]) {
    const { status, headers, body } = await rest(h, path);
    assert.equal(fromRest(status, headers, body).reason, "ROUTE_UNKNOWN", path);
  }
});

test("a server whose reference is off has none", async () => {
  const closed = await givenKeyturn({ env: { KEYTURN_API_REFERENCE: "off" } });
  try {
    for (const [path] of PATHS) {
      const { status, headers, body } = await rest(closed, path);
      assert.equal(fromRest(status, headers, body).reason, "ROUTE_UNKNOWN", path);
    }
  } finally {
    await closed.stop();
  }
});
