import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { serviceAddress } from "../../src/cli/address.ts";
import { selfSigned } from "../support/certificate.ts";
import { givenDataDir } from "./data-folder.ts";
import { runCommand, scopeOf } from "./keyturn-command.ts";
import { runProgram } from "./program-runner.ts";

const scope = scopeOf({ after });
let folder: string;
before(async () => {
  folder = await givenDataDir(scope);
});

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const env = { KEYTURN_ACCESS_TOKEN: "t" };
const policyGet = (...args: string[]) => runProgram(["policy", "get", "--timeout", "2s", ...args], { env });

async function assertWrong(args: readonly string[], named: string): Promise<void> {
  const { status, out, err } = await policyGet(...args);
  assert.deepEqual([status, out], [2, ""], err);
  assert.ok(
    err.startsWith("keyturn: ") && err.includes(named) && err.trimEnd().split("\n").length === 1,
    err,
  );
  assert.doesNotMatch(err, /UNAVAILABLE|routines/);
}

test("what is no address is said to be none before anything is called", async () => {
  for (const address of [
    ...["https://host:50051", "http://127.0.0.1:50051", "grpc://host:1", "dns:https://host:1"],
    ...["127.0.0.1", "host", "host:", ":50051", "host:0", "host:65536", "host:x", "::1:50051", "[::1]"],
    ...["host:1/path", "user@host:1", "host:1 ", "dns:///host", "a b:1"],
  ])
    await assertWrong(["--address", address], JSON.stringify(address));
});

test("every address that names a port is one, and so is what gRPC resolves in ways of its own", () => {
  for (const address of [
    ...["host:1", "127.0.0.1:65535", "[::1]:50051", "[fe80::1%eth0]:1", "key_turn.default.svc:443"],
    ...[
      "dns:host:1",
      "dns:///host:1",
      "dns://8.8.8.8/host:1",
      "unix:/run/keyturn",
      "ipv4:10.0.0.1:1,10.0.0.2:1",
    ],
  ])
    assert.equal(serviceAddress(address), address);
});

test("a file that does not hold what it should is named", async () => {
  const { cert, key } = selfSigned();
  const words = file("words", "no PEM\n");
  const damaged = file("damaged", `${cert}${cert.replace(/\n[^-]{10}/, "\nAAAAAAAAAA")}`);
  const good = { cert: file("cert", cert), key: file("key", key) };
  await assertWrong(["--ca-file", words], words);
  await assertWrong(["--ca-file", damaged], damaged);
  await assertWrong(["--cert-file", words, "--key-file", good.key], words);
  await assertWrong(["--cert-file", good.cert, "--key-file", words], words);
  await assertWrong(["--cert-file", good.cert, "--key-file", file("other", selfSigned().key)], "other");
  await assertWrong(["--cert-file", good.cert], "go together");
});

test("a certificate says who calls, and then no token is needed; without either nobody calls", async () => {
  const { cert, key } = selfSigned();
  const pair = ["--cert-file", file("cert", cert), "--key-file", file("key", key)];
  const ask = (args: string[]) => runProgram(["policy", "get", "--address", "127.0.0.1:1", ...args]);
  assert.match((await ask(pair)).err, /^keyturn: UNAVAILABLE: /);
  for (const args of [[], [...pair, "--token-file", file("empty", "\n")]])
    assert.match((await ask(args)).err, /who calls\?\n$/);
});

test("of a service out of reach the cause is said, and nothing of how gRPC came upon it", async () => {
  const { err } = await policyGet("--address", "127.0.0.1:1");
  assert.equal(err, "keyturn: UNAVAILABLE: connect ECONNREFUSED 127.0.0.1:1\n");
});

test("with --output json a create whose answer is open is JSON from the first character on", async () => {
  const args = [
    "credential",
    "create",
    "sa-one",
    "--show-secret",
    "--output",
    "json",
    "--address",
    "127.0.0.1:1",
  ];
  const { status, err } = await runProgram(args, { env });
  const { error } = JSON.parse(err);
  assert.deepEqual([status, error.code], [2, "UNAVAILABLE"]);
  assert.match(error.toAskAgainAdd, /^--request-id [0-9a-f-]{36}$/);
});

test("TLS to an IP address prints no warning of Node's", async () => {
  const server = createServer((socket) => socket.on("error", () => {}).once("data", () => socket.destroy()));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.after(() => server.close());
  const address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const ca = file("ca", selfSigned().cert);
  const args = ["policy", "get", "--address", address, "--ca-file", ca, "--timeout", "5s"];
  const { status, err } = await runCommand(scope, args, env);
  assert.equal(status, 2);
  assert.match(err, /^keyturn: (UNAVAILABLE|DEADLINE_EXCEEDED): [^\n]*$/);
});
