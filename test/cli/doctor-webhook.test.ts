import assert from "node:assert/strict";
import { once } from "node:events";
import { chmodSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createServer as createTlsServer, getCACertificates, setDefaultCACertificates } from "node:tls";
import { examineWebhook } from "../../src/cli/doctor/webhook.ts";
import { givenAuthority, type Leaf } from "../support/authority.ts";
import { webhookSecret } from "../support/webhook-receiver.ts";
import { givenDataDir } from "./data-folder.ts";
import { type GivenDoctor, givenDoctor } from "./given-doctor.ts";
import { type Scope, scopeOf } from "./keyturn-command.ts";
import { type Seed, testEach, warning, wrong } from "./misconfiguration.ts";

const scope = scopeOf({ after });
const authority = givenAuthority();
let d: GivenDoctor;
before(async () => {
  d = await givenDoctor(scope);
});

const WHERE = "KEYTURN_WEBHOOK_URL";
const to = (url: string) => ({ [WHERE]: url, KEYTURN_WEBHOOK_SECRETS: webhookSecret() });

/** The port of a server until the end of the test. */
async function portOf(at: Scope, server: Server): Promise<number> {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  at.after(() => server.close());
  return (server.address() as AddressInfo).port;
}

const byTls =
  (leaf: Leaf): Seed =>
  async (at) =>
    to(`https://localhost:${await portOf(at, createTlsServer(leaf))}/geheim`);

const secretsFile =
  (mode: number): Seed =>
  async (at) => {
    const file = join(await givenDataDir(at), "secrets");
    writeFileSync(file, webhookSecret());
    chmodSync(file, mode);
    const port = await portOf(at, createServer());
    return { [WHERE]: `http://127.0.0.1:${port}/`, KEYTURN_WEBHOOK_SECRETS_FILE: file };
  };

testEach(
  () => d,
  [
    wrong("a webhook without an address", "webhook_host", WHERE, to("https://nowhere.invalid/geheim")),
    wrong("a webhook where nobody listens", "webhook_unreachable", WHERE, async (at) => {
      const server = createServer();
      const port = await portOf(at, server);
      server.close();
      return to(`https://127.0.0.1:${port}/geheim`);
    }),
    wrong("a webhook that hangs up", "webhook_unreachable", WHERE, async (at) => {
      const port = await portOf(
        at,
        createServer((socket) => socket.destroy()),
      );
      return to(`https://127.0.0.1:${port}/geheim`);
    }),
    wrong("a webhook without TLS", "webhook_tls", WHERE, async (at) => {
      const port = await portOf(
        at,
        createServer((socket) => socket.on("error", () => {}).end("HTTP/1.1 400 Bad Request\r\n\r\n")),
      );
      return to(`https://127.0.0.1:${port}/geheim`);
    }),
    wrong("a webhook of an unknown authority", "webhook_certificate", WHERE, byTls(authority.issue())),
    wrong(
      "a file of secrets that everybody can read",
      "webhook_secrets_readable",
      "KEYTURN_WEBHOOK_SECRETS_FILE",
      secretsFile(0o644),
    ),
    warning("a webhook behind a proxy", "webhook_proxied", WHERE, {
      ...to("https://nowhere.invalid/geheim"),
      NODE_USE_ENV_PROXY: "1",
      HTTPS_PROXY: "http://127.0.0.1:9",
    }),
  ],
);

test("a webhook that can be reached is fine, by its name and its address, and is sent nothing", async (t) => {
  const trusted = getCACertificates();
  setDefaultCACertificates([...trusted, authority.cert]);
  t.after(() => setDefaultCACertificates(trusted));
  let received = 0;
  const server = createTlsServer(authority.issue(), (socket) =>
    socket
      .on("data", () => {
        received += 1;
      })
      .on("error", () => {}),
  );
  const port = await portOf(scopeOf(t), server);
  for (const host of ["localhost", "127.0.0.1"]) {
    const { named, out } = await d.examine(to(`https://${host}:${port}/geheim`));
    assert.deepEqual(named("wrong"), [], out);
    assert.ok(named("ok").includes("webhook"));
    assert.doesNotMatch(out, /geheim/);
  }
  assert.equal(received, 0);
  const offline = await d.examine(to("https://nowhere.invalid/"), ["--offline"]);
  assert.deepEqual(offline.named("wrong"), []);
});

test("a webhook that says nothing is not waited for", async (t) => {
  const port = await portOf(scopeOf(t), createServer());
  const [found] = await examineWebhook({ [WHERE]: new URL(`https://127.0.0.1:${port}/`) }, {}, 50);
  assert.deepEqual([found?.check, found?.level], ["webhook_unreachable", "wrong"]);
});
