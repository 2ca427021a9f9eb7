import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connectKeyturn, type Keyturn, KeyturnError } from "../../src/client/keyturn.ts";
import { type GivenCli, givenCli } from "../cli/given-cli.ts";
import { scopeOf } from "../cli/keyturn-command.ts";

const scope = scopeOf({ after });
let h: GivenCli;
let keyturn: Keyturn;
before(async () => {
  h = await givenCli(scope);
  const token = await h.keyturn.token(h.organizationId, { roles: ["verifier"] });
  keyturn = connectKeyturn({ address: h.keyturn.grpcAddress, token });
  scope.after(() => keyturn.close());
});

/** A file as the command line writes it. */
async function givenSecretFile() {
  const { id } = await h.keyturn.givenAccount(h.organizationId);
  const file = join(h.folder(), "secret");
  await h.answer(["credential", "create", id, "--secret-file", file]);
  return { id, file, clientId: `${id}@${h.organizationId}.iam` };
}

test("the file that the command line writes makes tokens and is verified, as docs/client.md has it", async () => {
  const { id, file, clientId } = await givenSecretFile();
  for (const end of ["\n", "\r\n", ""]) {
    await writeFile(file, `${(await readFile(file, "utf8")).trim()}${end}`);
    const tokens = keyturn.tokenSource({ clientId, clientSecret: () => readFile(file, "utf8") });
    assert.match(await tokens.token(), /^[\w-]+\.[\w-]+\.[\w-]+$/);
    assert.equal((await keyturn.verify(await readFile(file, "utf8")))?.serviceAccountId, id);
  }
});

test("one line end is left out, and nothing else: what else stands around a secret makes it another one", async () => {
  const { file, clientId } = await givenSecretFile();
  const secret = (await readFile(file, "utf8")).trim();
  for (const other of [`${secret}\n\n`, ` ${secret}`, `${secret} `, `\n${secret}`]) {
    assert.equal(await keyturn.verify(other), undefined);
    await assert.rejects(
      keyturn.tokenSource({ clientId, clientSecret: other }).token(),
      (err) => err instanceof KeyturnError && err.reason === "INVALID_CLIENT",
    );
  }
});
