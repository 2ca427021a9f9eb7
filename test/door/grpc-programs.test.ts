import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { SERVICES } from "../../src/rpc/services.ts";
import { skipWithout, toolNamed } from "../deploy/tool.ts";
import { givenIssued } from "../support/issued-credential.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { storedCount } from "../support/stored.ts";

const SECRET = /^plt_cs_cred-[0-9a-hjkmnp-tv-z]{20}_[0-9A-Za-z]{60}$/;
const CREATE = "keyturn.v1.CredentialService/CreateCredential";
const VERIFY = "keyturn.v1.VerificationService/VerifyCredential";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn({ env: { KEYTURN_REFLECTION: "true" } });
});
after(() => h.stop());

const services = [...Object.values(SERVICES), Health];
const serviceNames = services.map(({ typeName }) => typeName).sort();

interface Outcome {
  readonly exitCode: number;
  readonly out: string;
  readonly err: string;
}

function run(tool: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const options = { timeout: 60_000, env: { ...process.env, ...env } };
  return new Promise<Outcome>((resolve) => {
    execFile(toolNamed(tool) ?? tool, args, options, (failure, out, err) =>
      resolve({ exitCode: failure === null ? 0 : Number(failure.code ?? 1), out, err }),
    );
  });
}

/** A call, a `list` or a `describe`. Everything it knows of the API comes from reflection. */
const grpcurl = (options: readonly string[], ...what: readonly string[]) =>
  run("grpcurl", ["-plaintext", ...options, h.grpcAddress, ...what]);

const as = (token: string) => ["-H", `Authorization: Bearer ${token}`];
const saying = (message: unknown) => ["-d", JSON.stringify(message)];

async function printed(outcome: Promise<Outcome>): Promise<string> {
  const { exitCode, out, err } = await outcome;
  assert.equal(exitCode, 0, err);
  return out;
}

const ofGrpcurl = { skip: skipWithout("grpcurl") };

test("grpcurl lists the services and their methods", ofGrpcurl, async () => {
  const listed = await printed(grpcurl([], "list"));
  assert.deepEqual(listed.trim().split("\n"), serviceNames);
  for (const { typeName, methods } of services) {
    const names = methods.map(({ name }) => `${typeName}.${name}`);
    assert.deepEqual((await printed(grpcurl([], "list", typeName))).trim().split("\n"), names.toSorted());
  }
});

test("grpcurl describes what a create and a check ask for and answer with", ofGrpcurl, async () => {
  for (const method of [CREATE, VERIFY]) {
    const name = method.split("/")[1];
    const described = await printed(grpcurl([], "describe", method.replace("/", ".")));
    assert.match(described, new RegExp(`rpc ${name} \\( \\.keyturn\\.v1\\.${name}Request \\)`));
    assert.match(described, new RegExp(`returns \\( \\.keyturn\\.v1\\.${name}Response \\)`));
  }
  const create = await printed(grpcurl([], "describe", "keyturn.v1.CreateCredentialRequest"));
  assert.match(create, /string service_account_id = 1/);
  assert.match(create, /\.google\.protobuf\.Timestamp expires_at = /);
  const verify = await printed(grpcurl(["-msg-template"], "describe", "keyturn.v1.VerifyCredentialRequest"));
  assert.match(verify, /"clientSecret": ""/);
});

test("grpcurl creates a credential, and a check of its secret says whose it is", ofGrpcurl, async () => {
  const { organizationId, id } = await h.givenAccount();
  const administrator = as(await h.token(organizationId));
  const verifier = as(await h.token(organizationId, { roles: ["verifier"] }));
  const asked = saying({ serviceAccountId: id });
  const created = JSON.parse(await printed(grpcurl([...administrator, ...asked], CREATE)));
  assert.match(created.clientSecret, SECRET);
  assert.equal(await storedCount(h, id), 1);
  const verify = async (clientSecret: string) =>
    JSON.parse(await printed(grpcurl([...verifier, ...saying({ clientSecret })], VERIFY)));
  const { principal } = await verify(created.clientSecret);
  assert.deepEqual([principal.credentialId, principal.serviceAccountId], [created.id, id]);
  assert.deepEqual(await verify(wrongOne(created.clientSecret)), { refusal: {} });
});

test(
  "grpcurl asks for the health of a service, and finds the reasons that an error can have",
  ofGrpcurl,
  async () => {
    const asked = saying({ service: "keyturn.v1.CredentialService" });
    const checked = await printed(grpcurl(asked, `${Health.typeName}/Check`));
    assert.deepEqual(JSON.parse(checked), { status: "SERVING" });
    const reasons = await printed(grpcurl([], "describe", "keyturn.v1.ErrorReason"));
    assert.match(reasons, /ERROR_REASON_CREDENTIAL_LIMIT_REACHED = \d+;/);
  },
);

test("grpcurl shows why it was refused: the code, the reason and its facts", ofGrpcurl, async () => {
  const issued = await givenIssued(h);
  const asked = saying({ serviceAccountId: issued.accountId });
  const administrator = await h.token(issued.organizationId);
  const verifier = await h.token(issued.organizationId, { roles: ["verifier"] });
  const refusal = async (options: readonly string[], method: string) => {
    const { exitCode, err } = await grpcurl(["-format-error", ...options], method);
    // 64 more than the code, so that it differs from grpcurl's own.
    const { code, details } = JSON.parse(err);
    assert.equal(exitCode, 64 + code);
    const info = details.find((detail: Record<string, string>) => detail["@type"]?.endsWith("ErrorInfo"));
    assert.equal(info.domain, "keyturn");
    return [code, info.reason, info.metadata?.limit];
  };
  assert.deepEqual(await refusal(asked, CREATE), [16, "UNAUTHENTICATED", undefined]);
  assert.deepEqual(await refusal([...as(verifier), ...asked], CREATE), [7, "PERMISSION_DENIED", undefined]);
  const secret = saying({ clientSecret: issued.secret });
  assert.deepEqual(await refusal([...as(administrator), ...secret], VERIFY), [
    7,
    "PERMISSION_DENIED",
    undefined,
  ]);
  for (let count = 1; count < 5; count++) await printed(grpcurl([...as(administrator), ...asked], CREATE));
  const atTheLimit = await refusal([...as(administrator), ...asked], CREATE);
  assert.deepEqual(atTheLimit, [8, "CREDENTIAL_LIMIT_REACHED", "5"]);
});

test("a client in Python, by grpcio, creates, has secrets checked and reads why it was refused", {
  skip: skipWithout("python-grpcio"),
}, async () => {
  const { organizationId, id } = await h.givenAccount();
  const file = fileURLToPath(new URL("foreign-clients/grpc_client.py", import.meta.url));
  const printedByIt = await printed(
    run("python-grpcio", [file], {
      ADDRESS: h.grpcAddress,
      SERVICE_ACCOUNT_ID: id,
      ADMINISTRATOR: await h.token(organizationId),
      VERIFIER: await h.token(organizationId, { roles: ["verifier"] }),
    }),
  );
  const { services: listed, created, right, wrong, anonymous, stranger } = JSON.parse(printedByIt);
  assert.deepEqual(listed.sort(), serviceNames);
  assert.match(created.clientSecret, SECRET);
  assert.deepEqual(
    [right.principal.credentialId, right.principal.serviceAccountId, right.principal.organizationId],
    [created.id, id, organizationId],
  );
  assert.deepEqual(wrong, { refusal: {} });
  const refused = (reason: string) => ({ code: reason, reason, domain: "keyturn" });
  assert.deepEqual([anonymous, stranger], ["UNAUTHENTICATED", "PERMISSION_DENIED"].map(refused));
  assert.equal(await storedCount(h, id), 1);
});

/** With another last character, which is of its public checksum. */
const wrongOne = (secret: string) => secret.slice(0, -1) + (secret.endsWith("A") ? "B" : "A");
