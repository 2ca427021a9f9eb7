import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { openChannel } from "../../src/client/channel.ts";
import { ROOT, runCommand, type Scope, scopeOf } from "../cli/keyturn-command.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

const EXAMPLE = "examples/rotate-own-secret.ts";
const STEPS = ["rotated", "deployed", "in_use", "quiet", "deleted"];

const scope = scopeOf({ after });
let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
  scope.after(() => h.stop());
});

function givenFolder(at: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), "keyturn-example-"));
  at.after(() => rmSync(folder, { recursive: true }));
  return folder;
}

/** An account with a secret in a file, and what the example is told of them. */
async function givenService(folder: string) {
  const { organizationId, id: serviceAccountId } = await h.givenAccount();
  const token = await h.token(organizationId, { roles: ["admin", "verifier"] });
  const channel = openChannel({ address: h.grpcAddress, token });
  scope.after(() => channel.close());
  const { method } = CredentialService;
  const created = await channel.call(method.createCredential, { serviceAccountId });
  const secretFile = join(folder, "secret");
  writeFileSync(secretFile, `${created.clientSecret}\n`);
  const env = {
    KEYTURN_ADDRESS: h.grpcAddress,
    KEYTURN_ACCESS_TOKEN: token,
    CLIENT_ID: `${serviceAccountId}@${organizationId}.iam`,
    SECRET_FILE: secretFile,
    STATE_FILE: join(folder, "rotation.json"),
  };
  const list = async () => (await channel.call(method.listCredentials, { serviceAccountId })).credentials;
  return { env, secretFile, created, list };
}

/** It has rotated, and left the new secret alone behind. */
async function assertRotated(service: Awaited<ReturnType<typeof givenService>>, out: string): Promise<void> {
  const credentials = await service.list();
  assert.equal(credentials.length, 1);
  assert.notEqual(credentials[0]?.id, service.created.id);
  const secret = readFileSync(service.secretFile, "utf8");
  assert.ok(secret.includes(credentials[0]?.id ?? "?"));
  assert.equal(statSync(service.secretFile).mode & 0o777, 0o600);
  const lines = out.split("\n");
  assert.deepEqual(
    lines.filter((line) => STEPS.includes(line)),
    STEPS,
  );
  assert.equal(lines.at(-1), `uses ${credentials[0]?.id} from now on`);
  assert.equal(out.includes("plt_cs"), false);
}

test("the example replaces its own secret while it runs, from a checkout", async (t) => {
  const at = scopeOf(t);
  const service = await givenService(givenFolder(at));
  const program = [process.execPath, "--conditions=keyturn-source", EXAMPLE];
  const { status, out, err } = await runCommand(at, [], service.env, { program });
  assert.deepEqual([status, err], [0, ""]);
  await assertRotated(service, out);
});

test("installed as a package elsewhere, the client runs as JavaScript and the example does the same", async (t) => {
  const at = scopeOf(t);
  const folder = givenFolder(at);
  const packed = spawnSync(
    "npm",
    ["run", "--silent", "pack:client", "--", "--json", "--pack-destination", folder],
    {
      cwd: ROOT,
      encoding: "utf8",
    },
  );
  assert.equal(packed.status, 0, packed.stderr);
  const [{ filename }] = JSON.parse(packed.stdout.slice(packed.stdout.indexOf("[")));
  const installed = join(folder, "node_modules", "keyturn");
  mkdirSync(installed, { recursive: true });
  const tar = ["-xzf", join(folder, filename), "-C", installed, "--strip-components=1"];
  assert.equal(spawnSync("tar", tar).status, 0);
  for (const name of ["@bufbuild", "@grpc"])
    symlinkSync(join(ROOT, "node_modules", name), join(folder, "node_modules", name));
  const example = join(folder, "example.ts");
  writeFileSync(example, readFileSync(join(ROOT, EXAMPLE)));
  writeFileSync(join(folder, "package.json"), JSON.stringify({ type: "module" }));
  const service = await givenService(folder);
  const { status, out, err } = await runCommand(at, [], service.env, {
    program: [process.execPath, example],
  });
  assert.deepEqual([status, err], [0, ""]);
  await assertRotated(service, out);
});
