import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { after, before, test } from "node:test";
import { type GivenCli, givenCli } from "./given-cli.ts";
import { COMMAND, scopeOf } from "./keyturn-command.ts";

const scope = scopeOf({ after });
let h: GivenCli;
let env: Readonly<Record<string, string>>;
before(async () => {
  h = await givenCli(scope);
  const token = await h.keyturn.token(h.organizationId, { roles: ["admin"] });
  env = {
    KEYTURN_ADDRESS: h.keyturn.grpcAddress,
    KEYTURN_ACCESS_TOKEN: token,
    PATH: process.env["PATH"] ?? "",
  };
});

const FULL = { skip: existsSync("/dev/full") ? false : "there is no /dev/full" };
const UNWRITTEN = "keyturn: the output could not be written";

/** `keyturn …` with its standard output sent elsewhere, as a shell does it. */
async function ranWith(redirection: string, args: readonly string[]) {
  const child = spawn("sh", ["-c", `exec "$0" "$@" ${redirection}`, process.execPath, COMMAND, ...args], {
    env,
  });
  const err = text(child.stderr);
  const [status] = await once(child, "close");
  return { status, err: await err };
}

/** `keyturn …` whose reader is gone before it begins. */
async function ranUnread(args: readonly string[]) {
  const child = spawn(process.execPath, [COMMAND, ...args], { env });
  child.stdout.destroy();
  const err = text(child.stderr);
  const [status] = await once(child, "close");
  return { status, err: await err };
}

const credentialsOf = async (id: string): Promise<unknown[]> =>
  (await h.answer(["credential", "list", id])).credentials;

async function sameSecretAgain(id: string, err: string): Promise<string> {
  const [, requestId = ""] = /add --request-id ([0-9a-f-]{36})\n/.exec(err) ?? [];
  const again = await h.answer(["credential", "create", id, "--show-secret", "--request-id", requestId]);
  assert.equal((await credentialsOf(id)).length, 1, "no second credential");
  return again.clientSecret;
}

test(
  "a secret that could not be printed on a full disk is no success, and can be had again",
  FULL,
  async () => {
    const { id } = await h.keyturn.givenAccount(h.organizationId);
    const { status, err } = await ranWith("> /dev/full", ["credential", "create", id, "--show-secret"]);
    assert.equal(status, 2, err);
    assert.ok(err.endsWith(`${UNWRITTEN} (ENOSPC)\n`), err);
    assert.match(await sameSecretAgain(id, err), /^plt_cs_/);
  },
);

test("nor is one whose reader has gone", async () => {
  const { id } = await h.keyturn.givenAccount(h.organizationId);
  const { status, err } = await ranUnread(["credential", "create", id, "--show-secret"]);
  assert.equal(status, 2, err);
  assert.ok(err.endsWith(`${UNWRITTEN} (EPIPE)\n`), err);
  assert.match(await sameSecretAgain(id, err), /^plt_cs_/);
});

test("nothing is issued where its secret would be shown to nobody", async () => {
  const { id } = await h.keyturn.givenAccount(h.organizationId);
  for (const redirection of [">&-", "> /dev/null"]) {
    const { status, err } = await ranWith(redirection, ["credential", "create", id, "--show-secret"]);
    assert.equal(status, 2, err);
    assert.match(err, /^keyturn: --show-secret: /);
  }
  assert.deepEqual(await credentialsOf(id), []);
});

test("a secret that is in its file stays there, whatever becomes of the rest", FULL, async () => {
  const { id } = await h.keyturn.givenAccount(h.organizationId);
  const file = join(h.folder(), "secret");
  const create = ["credential", "create", id, "--secret-file", file];
  const { status, err } = await ranWith("> /dev/full", create);
  assert.equal(status, 2, err);
  const secret = await sameSecretAgain(id, err);
  assert.equal(readFileSync(file, "utf8"), `${secret}\n`);
});

test("whatever a command prints, it says when that did not come out", FULL, async () => {
  for (const args of [
    ["audit", "list"],
    ["completion", "bash"],
    ["credential", "--help"],
    ["policy", "get"],
  ]) {
    const { status, err } = await ranWith("> /dev/full", args);
    assert.deepEqual([status, err], [2, `${UNWRITTEN} (ENOSPC)\n`], args.join(" "));
  }
});

test("only of a list, and of a help, somebody may have seen enough", async () => {
  const { id } = await h.keyturn.givenAccount(h.organizationId);
  assert.deepEqual(await ranUnread(["service-account", "list"]), { status: 0, err: "" });
  assert.deepEqual(await ranUnread(["credential", "create", "--help"]), { status: 0, err: "" });
  assert.deepEqual(await ranUnread(["service-account", "get", id]), {
    status: 2,
    err: `${UNWRITTEN} (EPIPE)\n`,
  });
});
