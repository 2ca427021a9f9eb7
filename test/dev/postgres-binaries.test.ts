import assert from "node:assert/strict";
import { readdir, readFile, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { test } from "node:test";
import { startEmbeddedPostgres } from "../../src/dev/embedded-postgres.ts";
import { SHARED_DIR } from "../../src/dev/postgres-folder.ts";
import { ask, givenDataDir, givenFolder, givenPackage, givenServer } from "./given-postgres.ts";

const NEEDS_ROOT = process.getuid?.() === 0 ? false : "only root's server runs as another user";

test("a package without its links serves two launchers at once", async (t) => {
  const packageDir = await givenPackage(t, await givenFolder(t, 0o755));
  const dataDirs = [await givenDataDir(t), await givenDataDir(t)];
  const servers = await Promise.all(dataDirs.map((dataDir) => givenServer(t, { dataDir, packageDir })));
  for (const server of servers) assert.equal(await ask(server, "select 1 as answer"), 1);
});

test("a checkout that is closed to the server's user serves two of root's launchers at once", {
  skip: NEEDS_ROOT,
}, async (t) => {
  const closed = await givenFolder(t, 0o700);
  const packageDir = await givenPackage(t, closed);
  const dataDirs = ["one", "two"].map((name) => join(closed, ".keyturn", name));
  const firsts = await Promise.all(dataDirs.map((dataDir) => givenServer(t, { dataDir, packageDir })));
  for (const [index, first] of firsts.entries()) {
    const dataDir = dataDirs[index] as string;
    const name = basename(dataDir);
    await ask(first, "create table kept as select 7 as answer");
    assert.equal(dirname(dirname(first.location)), SHARED_DIR);
    assert.ok((await readFile(`${dataDir}.moved.txt`, "utf8")).includes(first.location));
    await first.stop();
    assert.deepEqual((await readdir(dirname(first.location))).sort(), [
      name,
      `${name}.log`,
      `${name}.password`,
    ]);

    const second = await givenServer(t, { dataDir, packageDir });
    assert.equal(second.location, first.location);
    assert.equal(await ask(second, "select answer from kept"), 7);
  }
  assert.equal((await stat(closed)).mode & 0o777, 0o700);
  assert.deepEqual((await readdir(join(closed, ".keyturn"))).sort(), ["one.moved.txt", "two.moved.txt"]);
  const drafts = (await readdir(join(SHARED_DIR, "binaries"))).filter((name) =>
    name.startsWith(`draft-${process.pid}-`),
  );
  assert.deepEqual(drafts, []);
});

test("without the package of this platform the way out is named", async (t) => {
  const dataDir = await givenDataDir(t);
  const packageDir = join(dirname(dataDir), "absent");
  await assert.rejects(startEmbeddedPostgres({ dataDir, packageDir }), /^Error: [^\n]*DATABASE_URL[^\n]*$/);
});
