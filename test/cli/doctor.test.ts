import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { givenKeyturn } from "../support/keyturn.ts";
import { type GivenDoctor, givenDoctor } from "./given-doctor.ts";
import { scopeOf } from "./keyturn-command.ts";
import { runProgram } from "./program-runner.ts";

const scope = scopeOf({ after });
let d: GivenDoctor;
before(async () => {
  d = await givenDoctor(scope);
});

test("nothing is wrong with a production that is complete: exit code 0, and what was fine is said", async () => {
  const { status, named, out } = await d.examine();
  assert.deepEqual([status, named("wrong")], [0, []], out);
  assert.deepEqual(named("warning"), ["issuer_in_clear"], "an issuer of a test has no TLS");
  for (const check of [
    "configuration",
    "root_key",
    "port",
    "database",
    "login",
    "schema",
    "issuer",
    "argon2",
  ])
    assert.ok(named("ok").includes(check), check);
});

test("a configuration of which nothing is right is examined to its end", async () => {
  const { status, out } = await runProgram(["doctor", "--output", "json"], {
    env: {
      NODE_ENV: "production",
      DATABASE_URL: "?",
      KEYTURN_OIDC_ISSUER: ",",
      KEYTURN_GRPC_PORT: "x",
      KEYTURN_ROOT_KEY: "?",
    },
  });
  assert.equal(status, 1);
  const { findings } = JSON.parse(out) as { findings: { where: string; level: string }[] };
  const places = new Set(findings.filter(({ level }) => level === "wrong").map(({ where }) => where));
  for (const name of [
    "DATABASE_URL",
    "KEYTURN_OIDC_ISSUER",
    "KEYTURN_GRPC_PORT",
    "KEYTURN_ROOT_KEY",
    "KEYTURN_OIDC_AUDIENCE",
  ])
    assert.ok(places.has(name), name);
});

test("beside a server that runs its ports are no fault", async (t) => {
  const keyturn = await givenKeyturn({ db: d.db, issuer: d.issuer });
  t.after(async () => {
    await keyturn.stop();
    await d.db.sql`delete from keyturn.signing_keys`;
  });
  const port = new URL(keyturn.adminUrl).port;
  const grpc = keyturn.grpcAddress.split(":")[1];
  const changes = {
    KEYTURN_ADMIN_PORT: port,
    KEYTURN_GRPC_PORT: grpc,
    KEYTURN_ROOT_KEY: Buffer.alloc(32, 7).toString("base64"),
  };
  await eventually(async () => (await fetch(`${keyturn.adminUrl}/readyz`)).status === 200);
  const { named } = await d.examine(changes);
  assert.deepEqual(named("wrong"), ["root_key_guessable"]);
  assert.ok(named("ok").includes("doors"));
});

test("a server that runs and is not ready is a fault, in its own words", async (t) => {
  const server = createHttpServer((_req, res) => res.writeHead(503).end("not ready: draining\n"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const { port } = server.address() as AddressInfo;
  const { findings, named } = await d.examine({ KEYTURN_ADMIN_PORT: String(port) }, ["--offline"]);
  assert.deepEqual(named("wrong"), ["server_unready"]);
  assert.match(findings.find(({ check }) => check === "server_unready")?.what ?? "", /draining/);
});

test("offline nobody is asked", async () => {
  const { status, named } = await d.examine({ DATABASE_URL: "postgres://u:p@nowhere.invalid/d" }, [
    "--offline",
  ]);
  assert.equal(status, 0);
  assert.equal(named("ok").includes("database"), false);
});

test("without --output json it is a line a finding, and how many there are of each kind", async () => {
  const { status, out } = await runProgram(["doctor"], { env: { ...d.env, KEYTURN_ROOT_KEY: "" } });
  assert.equal(status, 1);
  const lines = out.trimEnd().split("\n");
  for (const line of lines.slice(0, -1)) assert.match(line, /^(ok|warning|wrong) +\S.*: ./);
  assert.ok(
    lines.some((line) =>
      /^wrong +KEYTURN_ROOT_KEY: .*To do: .*make one: openssl rand -base64 32$/.test(line),
    ),
    out,
  );
  assert.equal(lines.at(-1), "1 wrong, 1 warnings");
});
