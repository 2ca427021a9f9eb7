import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { SERVICES } from "../../src/rpc/services.ts";
import { credentialsPath } from "../support/clients.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { CREATE_PATH } from "../support/raw-grpc.ts";
import { storedCount } from "../support/stored.ts";

const BUF = "node_modules/.bin/buf";
const SECRET = /^plt_cs_cred-[0-9a-hjkmnp-tv-z]{20}_[0-9A-Za-z]{60}$/;

let h: TestKeyturn;
before(async () => {
  // The one module of buf.yaml that `npm ci` does not bring.
  const { exitCode, err } = await run(process.execPath, ["scripts/print-validate-proto.ts"]);
  assert.equal(exitCode, 0, err);
  h = await givenKeyturn();
});
after(() => h.stop());

interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

function run(program: string, args: readonly string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(program, args, { timeout: 60_000 }, (failure, out, err) => {
      const exitCode = failure === null ? 0 : Number(failure.code ?? 1);
      resolve({ exitCode, out, err: failure !== null && err === "" ? failure.message : err });
    });
  });
}

const isInstalled = async (program: string) => (await run(program, ["--version"])).exitCode === 0;

/** The body on the command line, the token in a header: what a reader of the documentation would type. */
async function bufCurl(
  options: readonly string[],
  address: string,
  serviceAccountId: string,
  token?: string,
) {
  const header = token === undefined ? [] : ["--header", `authorization: Bearer ${token}`];
  const data = JSON.stringify({ serviceAccountId });
  return run(BUF, ["curl", ...options, ...header, "--data", data, `http://${address}${CREATE_PATH}`]);
}

const GRPC = ["--protocol", "grpc", "--http2-prior-knowledge"];

const WAYS = [
  ["gRPC with reflection", GRPC, () => h.grpcAddress],
  ["Connect", ["--protocol", "connect", "--schema", "."], () => new URL(h.httpUrl).host],
  ["gRPC-Web", ["--protocol", "grpcweb", "--schema", "."], () => new URL(h.httpUrl).host],
] as const;

for (const [name, options, address] of WAYS) {
  test(`the same create works by buf curl over ${name}`, async () => {
    const { organizationId, id } = await h.givenAccount();
    const { exitCode, out, err } = await bufCurl(options, address(), id, await h.token(organizationId));
    assert.equal(exitCode, 0, err);
    assert.match(JSON.parse(out).clientSecret, SECRET);
    assert.equal(await storedCount(h, id), 1);
  });
}

test("buf curl shows the code and the details of a refusal", async () => {
  const { id } = await h.givenAccount();
  const { exitCode, err } = await bufCurl(GRPC, h.grpcAddress, id);
  assert.notEqual(exitCode, 0);
  const { code, details } = JSON.parse(err);
  assert.equal(code, "unauthenticated");
  assert.equal(details[0].type, "google.rpc.ErrorInfo");
  assert.equal(await storedCount(h, id), 0);
});

test("reflection lists the services, the methods and what they are made of, for buf curl", async () => {
  const services = [...Object.values(SERVICES), Health];
  const methods = services.flatMap(({ typeName, methods }) =>
    methods.map(({ name }) => `${typeName}/${name}`),
  );
  const lists = { "--list-services": services.map(({ typeName }) => typeName), "--list-methods": methods };
  for (const [option, expected] of Object.entries(lists)) {
    const { exitCode, out, err } = await run(BUF, ["curl", ...GRPC, option, `http://${h.grpcAddress}`]);
    assert.equal(exitCode, 0, err);
    assert.deepEqual(out.trim().split("\n").sort(), expected.sort());
  }
});

test("the seed's own curl command works, given a token and an account", async (t) => {
  if (!(await isInstalled("curl"))) return t.skip("curl is not on this machine");
  const { organizationId, id } = await h.givenAccount();
  const { exitCode, out, err } = await run("curl", [
    "--silent",
    "--show-error",
    "--fail-with-body",
    "-X",
    "POST",
    h.httpUrl + credentialsPath(id),
    "-H",
    "Content-Type: application/json",
    "-H",
    `Authorization: Bearer ${await h.token(organizationId)}`,
    "-d",
    "{}",
  ]);
  assert.equal(exitCode, 0, err);
  assert.match(JSON.parse(out).clientSecret, SECRET);
});

test("curl is told why it was refused, in the seed's envelope", async (t) => {
  if (!(await isInstalled("curl"))) return t.skip("curl is not on this machine");
  const { out } = await run("curl", ["--silent", "-X", "POST", h.httpUrl + credentialsPath("sa-one")]);
  assert.deepEqual(Object.keys(JSON.parse(out).error), ["code", "message", "details"]);
});
