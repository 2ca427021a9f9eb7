import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { type GivenCli, givenCli } from "./given-cli.ts";
import { COMMAND, runCommand, scopeOf } from "./keyturn-command.ts";

const scope = scopeOf({ after });
let h: GivenCli;
let env: Readonly<Record<string, string>>;
before(async () => {
  h = await givenCli(scope);
  const token = await h.keyturn.token(h.organizationId, { roles: ["admin", "verifier"] });
  env = {
    KEYTURN_ADDRESS: h.keyturn.grpcAddress,
    KEYTURN_ACCESS_TOKEN: token,
    PATH: process.env["PATH"] ?? "",
  };
});

test("the program itself calls the service, and reads a secret from its standard input", async (t) => {
  const { id } = await h.keyturn.givenAccount(h.organizationId);
  const created = await runCommand(scopeOf(t), ["credential", "create", id, "--show-secret"], env);
  assert.deepEqual([created.status, created.err], [0, ""]);
  const child = spawn(process.execPath, [COMMAND, "credential", "verify"], { env });
  const out = text(child.stdout);
  child.stdin.end(`${JSON.parse(created.out).clientSecret}\n`);
  assert.deepEqual(await once(child, "close"), [0, null]);
  assert.equal(JSON.parse(await out).principal.serviceAccountId, id);
});

test("whoever reads the beginning of a list only is no fault", async () => {
  await h.keyturn.db.sql`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    select ${h.organizationId}, 'sa-' || n, repeat('n', 200), ${h.organizationId}, 'test' from generate_series(1, 2000) as n`;
  const child = spawn(
    "sh",
    ["-c", '"$0" "$@" | head -n 1', process.execPath, COMMAND, "service-account", "list"],
    { env },
  );
  const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
  assert.deepEqual([out, err], ["{\n", ""]);
});
