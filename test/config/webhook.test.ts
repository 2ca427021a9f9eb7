import assert from "node:assert/strict";
import { test } from "node:test";
import { configOf, mistakesOf, PRODUCTION, ROOT_KEY } from "./given-config.ts";

const SECRET = `whsec_${ROOT_KEY}`;
const OTHER_SECRET = `whsec_${Buffer.alloc(24, 1).toString("base64")}`;
const URL_ = "https://hooks.example/keyturn?team=a";

test("a webhook has a URL and the secrets that sign for it, from the variable or from a file", () => {
  const { webhook } = configOf({
    ...PRODUCTION,
    KEYTURN_WEBHOOK_URL: URL_,
    KEYTURN_WEBHOOK_SECRETS: `${SECRET}, ${OTHER_SECRET}`,
  });
  assert.equal(webhook?.url.href, URL_);
  assert.deepEqual(
    webhook?.keys.map((key) => key.length),
    [32, 24],
  );
  const env = { ...PRODUCTION, KEYTURN_WEBHOOK_URL: URL_, KEYTURN_WEBHOOK_SECRETS_FILE: "/webhook-secrets" };
  assert.deepEqual(configOf(env).webhook?.keys[0], Buffer.from(ROOT_KEY, "base64"));
});

test("a webhook on this machine may do without TLS, in production too", () => {
  for (const url of ["http://127.0.0.1:9000/hook", "http://localhost/hook", "http://[::1]:80/hook"]) {
    const env = { ...PRODUCTION, KEYTURN_WEBHOOK_URL: url, KEYTURN_WEBHOOK_SECRETS: SECRET };
    assert.equal(configOf(env).webhook?.url.protocol, "http:");
  }
});

test("a URL without secrets is one mistake, and so are secrets without a URL", () => {
  for (const env of [
    { KEYTURN_WEBHOOK_URL: URL_ },
    { KEYTURN_WEBHOOK_SECRETS: SECRET },
    { KEYTURN_WEBHOOK_SECRETS_FILE: "/webhook-secrets" },
  ])
    assert.deepEqual(mistakesOf({ ...PRODUCTION, ...env }), [
      "KEYTURN_WEBHOOK_URL and KEYTURN_WEBHOOK_SECRETS go together",
    ]);
});

test("a file of secrets that is of no use is one mistake that names it", () => {
  for (const more of [
    { KEYTURN_WEBHOOK_SECRETS: SECRET, KEYTURN_WEBHOOK_SECRETS_FILE: "/webhook-secrets" },
    { KEYTURN_WEBHOOK_SECRETS_FILE: "/absent" },
    { KEYTURN_WEBHOOK_SECRETS_FILE: "/empty" },
    { KEYTURN_WEBHOOK_SECRETS_FILE: "/geheim" },
  ]) {
    const [mistake, ...others] = mistakesOf({ KEYTURN_WEBHOOK_URL: URL_, ...more });
    assert.match(mistake ?? "", /KEYTURN_WEBHOOK_SECRETS_FILE/);
    assert.doesNotMatch(mistake ?? "", /geheim/);
    assert.deepEqual(others, []);
  }
});
