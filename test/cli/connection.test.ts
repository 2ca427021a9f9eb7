import assert from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Server, ServerCredentials } from "@grpc/grpc-js";
import { isLoopback } from "../../src/client/channel.ts";
import { selfSigned } from "../support/certificate.ts";
import { givenDataDir } from "./data-folder.ts";
import { givenCli } from "./given-cli.ts";
import { scopeOf } from "./keyturn-command.ts";
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

/** A gRPC server by TLS that offers nothing: whoever gets as far as UNIMPLEMENTED has come through. */
async function givenTlsServer({ asksForCertificate = false } = {}) {
  const server = new Server();
  const { key, cert } = selfSigned();
  const pair = { private_key: Buffer.from(key), cert_chain: Buffer.from(cert) };
  const client = selfSigned();
  const credentials = ServerCredentials.createSsl(
    asksForCertificate ? Buffer.from(client.cert) : null,
    [pair],
    asksForCertificate,
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", credentials, (err, bound) => (err ? reject(err) : resolve(bound))),
  );
  scope.after(() => server.forceShutdown());
  return { address: `127.0.0.1:${port}`, cert, client };
}

const policyGet = (address: string, ...args: string[]) =>
  runProgram(["policy", "get", "--address", address, "--timeout", "2s", ...args], {
    env: { KEYTURN_ACCESS_TOKEN: "t" },
  });

test("TLS by authorities of one's own, and a name that is not the address's", async () => {
  const { address, cert } = await givenTlsServer();
  const tls = ["--ca-file", file("ca.pem", cert), "--server-name", "localhost"];
  assert.match((await policyGet(address, ...tls)).err, /^keyturn: UNIMPLEMENTED: /);
  for (const args of [[], tls.slice(0, 2), tls.slice(2)]) {
    const { status, err } = await policyGet(address, ...args);
    assert.equal(status, 2, err);
    assert.match(err, /^keyturn: (UNAVAILABLE|DEADLINE_EXCEEDED): /);
  }
});

test("a server that wants a certificate gets the caller's", async () => {
  const { address, cert, client } = await givenTlsServer({ asksForCertificate: true });
  const tls = ["--ca-file", file("ca.pem", cert), "--server-name", "localhost"];
  const pair = ["--cert-file", file("cert.pem", client.cert), "--key-file", file("key.pem", client.key)];
  assert.match((await policyGet(address, ...tls, ...pair)).err, /^keyturn: UNIMPLEMENTED: /);
  assert.match((await policyGet(address, ...tls)).err, /^keyturn: (UNAVAILABLE|DEADLINE_EXCEEDED): /);
});

test("only what stays on this machine is spoken to in clear unless that is asked for", () => {
  const here = [
    "localhost:1",
    "127.0.0.1:50051",
    "127.9.9.9:1",
    "[::1]:1",
    "dns:///localhost:1",
    "unix:/run/keyturn",
  ];
  const elsewhere = [
    ...[
      "keyturn:50051",
      "10.0.0.1:1",
      "128.0.0.1:1",
      "[::2]:1",
      "localhost.example.com:1",
      "127.0.0.1.example.com:1",
    ],
    ...[
      "dns:///keyturn.example.com:1",
      "dns://127.0.0.1/keyturn:1",
      "ipv4:10.0.0.1:1,127.0.0.1:1",
      "xds:///localhost",
    ],
  ];
  assert.deepEqual(
    here.filter((address) => !isLoopback(address)),
    [],
  );
  assert.deepEqual(elsewhere.filter(isLoopback), []);
});

/** What the first bytes are that a client sends: those of TLS, or of HTTP/2 in clear. */
async function firstBytes(
  args: readonly string[],
  addressOf = (port: number) => `127.0.0.1:${port}`,
): Promise<Buffer> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.after(() => server.close());
  const connected = once(server, "connection");
  const { port } = server.address() as AddressInfo;
  const ran = policyGet(addressOf(port), ...args);
  const [socket] = await connected;
  const [bytes] = await once(socket, "data");
  socket.destroy();
  server.close();
  await ran;
  return bytes;
}

test("any option of TLS means TLS, also on this machine", async () => {
  assert.equal((await firstBytes([])).subarray(0, 3).toString(), "PRI");
  const tls = await firstBytes(["--server-name", "localhost"]);
  assert.equal(tls[0], 0x16);
});

test("what is not plainly this machine gets TLS, unless --plaintext says otherwise", async () => {
  // Two addresses are no loopback address, though both of these are.
  const addressOf = (port: number) => `ipv4:127.0.0.1:${port},127.0.0.1:${port}`;
  assert.equal((await firstBytes([], addressOf))[0], 0x16);
  assert.equal((await firstBytes(["--plaintext"], addressOf)).subarray(0, 3).toString(), "PRI");
});

test("a token comes from a file, or from the environment, and is sent as it stands there without its last line end", async () => {
  const { keyturn, organizationId } = await givenCli(scope);
  const token = await keyturn.token(organizationId);
  const env = { KEYTURN_ADDRESS: keyturn.grpcAddress };
  const args = ["policy", "get", "--token-file", file("token", `${token}\n`)];
  assert.equal((await runProgram(args, { env: { ...env, KEYTURN_ACCESS_TOKEN: "nonsense" } })).status, 0);
  assert.equal(
    (await runProgram(["policy", "get"], { env: { ...env, KEYTURN_ACCESS_TOKEN: token } })).status,
    0,
  );
});
