import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { type AddressInfo, createServer } from "node:net";
import { networkInterfaces, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { startEmbeddedPostgres } from "../../src/dev/embedded-postgres.ts";
import {
  answers,
  ask,
  atEnd,
  eventually,
  filesBeside,
  givenDataDir,
  givenOwnerProcess,
  givenServer,
  isRunning,
  nextLine,
  spawnOwner,
} from "./given-postgres.ts";

const REST = ["postgres", "postgres.log", "postgres.password"];
const NEEDS_PROC = process.platform === "linux" ? false : "reads processes as Linux shows them";

test("the superuser's password opens the database and nothing else does", async (t) => {
  const server = await givenServer(t, { dataDir: await givenDataDir(t) });
  assert.equal(await ask(server, "select 40 + 2 as answer"), 42);
  for (const password of ["wrong", ""]) {
    await assert.rejects(ask(server, "select 1", password), { code: "28P01" });
  }
});

test("the server listens on 127.0.0.1 and nowhere else", async (t) => {
  const server = await givenServer(t, {
    dataDir: await givenDataDir(t),
    settings: { listen_addresses: "*", unix_socket_directories: tmpdir() },
  });
  const addresses = Object.values(networkInterfaces()).flatMap((found) => found ?? []);
  const elsewhere = addresses.map((found) => found.address).filter((address) => address !== "127.0.0.1");
  assert.equal(await answers("127.0.0.1", server.port), true);
  for (const address of ["127.0.0.2", "::1", ...elsewhere]) {
    assert.equal(await answers(address, server.port), false, address);
  }
  assert.equal(await ask(server, "show unix_socket_directories"), "");
  assert.equal(existsSync(join(tmpdir(), `.s.PGSQL.${server.port}`)), false);
});

test("checksums, UTF8 and a private folder are what the data are made with", async (t) => {
  const server = await givenServer(t, { dataDir: await givenDataDir(t), settings: { work_mem: "5MB" } });
  const shown = ["data_checksums", "server_encoding", "lc_collate", "fsync", "jit", "TimeZone", "work_mem"];
  const found = await Promise.all(
    shown.map((name) => ask(server, `select current_setting('${name}', true)`)),
  );
  assert.deepEqual(found, ["on", "UTF8", null, "on", "off", "UTC", "5MB"]);
  assert.equal(await ask(server, "select datcollate from pg_database where datname = 'template1'"), "C");
  assert.equal((await stat(server.location)).mode & 0o777, 0o700);
  for (const name of ["password", "log"]) {
    assert.equal((await stat(`${server.location}.${name}`)).mode & 0o777, 0o600, name);
  }
});

test("data survive a stop, which leaves no process, no port and no temporary file", async (t) => {
  const dataDir = await givenDataDir(t);
  const first = await givenServer(t, { dataDir });
  await ask(first, "create table kept as select 7 as answer");
  await Promise.all([first.stop(), first.stop()]);
  await first.stop();
  assert.equal(await first.exited, 0);
  assert.equal(isRunning(first.pid), false);
  assert.equal(await answers("127.0.0.1", first.port), false);
  assert.deepEqual(await filesBeside(dataDir), REST);

  const log: string[] = [];
  const second = await givenServer(t, { dataDir, logLine: (line) => log.push(line) });
  assert.equal(await ask(second, "select answer from kept"), 7);
  assert.match(log.join(), /database system was shut down at/);
  assert.doesNotMatch(log.join(), /interrupted|recovery/);
});

test("a Ctrl-C that the application survives does not reach its database, and after stop nothing holds the process", async (t) => {
  const owner = await givenOwnerProcess(t, await givenDataDir(t));
  process.kill(-(owner.child.pid as number), "SIGINT");
  owner.child.stdin?.write("still there?\n");
  assert.equal((await nextLine(owner)).answer, 1);
  owner.child.stdin?.end();
  const [code] = await once(owner.child, "close");
  assert.equal(code, 0);
  assert.equal(isRunning(owner.server.pid), false);
});

test("the server of a killed owner is replaced and its data are kept", async (t) => {
  const dataDir = await givenDataDir(t);
  const owner = await givenOwnerProcess(t, dataDir);
  owner.child.kill("SIGKILL");
  await once(owner.child, "close");
  assert.equal(isRunning(owner.server.pid), true);

  const next = await givenServer(t, { dataDir });
  assert.notEqual(next.pid, owner.server.pid);
  assert.equal(isRunning(owner.server.pid), false);
  assert.equal(await ask(next, "select answer from kept"), 1);
});

test("a second owner is refused by the first one's pid, which goes on undisturbed", async (t) => {
  const dataDir = await givenDataDir(t);
  const owner = await givenOwnerProcess(t, dataDir);
  await assert.rejects(startEmbeddedPostgres({ dataDir }), new RegExp(`pid ${owner.child.pid}\\b`));
  owner.child.stdin?.write("still there?\n");
  assert.equal((await nextLine(owner)).answer, 1);

  owner.child.stdin?.end();
  await once(owner.child, "close");
  const own = await givenServer(t, { dataDir });
  await assert.rejects(startEmbeddedPostgres({ dataDir }), new RegExp(`pid ${process.pid}\\b`));
  assert.equal(await ask(own, "select 1 as answer"), 1);
});

test("pids that now belong to other programs neither block a start nor are harmed", {
  skip: NEEDS_PROC,
}, async (t) => {
  const dataDir = await givenDataDir(t);
  const first = await givenServer(t, { dataDir });
  await first.stop();
  const { uid, gid } = await stat(first.location);
  const stranger = spawn("sleep", ["600"], { uid, gid, stdio: "ignore" });
  atEnd(t, () => stranger.kill("SIGKILL"));
  await once(stranger, "spawn");
  await writeFile(`${first.location}.owner.pid`, `${stranger.pid} another-birth\n`);
  await writeFile(join(first.location, "postmaster.pid"), `${stranger.pid}\n${first.location}\n0\n0\n\n\n`);
  await givenServer(t, { dataDir });
  assert.equal(isRunning(stranger.pid as number), true);
});

test("an initdb that was killed half way is done again", async (t) => {
  const dataDir = await givenDataDir(t);
  const child = spawnOwner(t, dataDir);
  const draft = await eventually(async () =>
    (await readdir(dirname(dataDir))).find((name) => existsSync(join(dirname(dataDir), name, "PG_VERSION"))),
  );
  assert.match(draft, /^postgres\.initdb-/);
  child.kill("SIGKILL");
  await once(child, "close");

  const server = await givenServer(t, { dataDir });
  assert.equal(await ask(server, "select 1 as answer"), 1);
  await server.stop();
  assert.deepEqual(await filesBeside(dataDir), REST);
});

test("a port that somebody else holds for a moment is waited for", async (t) => {
  const holder = createServer().listen(0, "127.0.0.1");
  atEnd(t, () => holder.close());
  await once(holder, "listening");
  const { port } = holder.address() as AddressInfo;
  const refused = Promise.withResolvers<void>();
  const logLine = (line: string) => line.includes("could not bind") && refused.resolve();
  const starting = givenServer(t, { dataDir: await givenDataDir(t), port, logLine });
  await Promise.race([refused.promise, starting]);
  holder.close();
  assert.equal((await starting).port, port);
});

test("a folder with other files in it is refused and left alone", async (t) => {
  const dataDir = await givenDataDir(t);
  await mkdir(dataDir);
  await writeFile(join(dataDir, "thesis.txt"), "kept");
  await assert.rejects(startEmbeddedPostgres({ dataDir }));
  assert.deepEqual(await filesBeside(dataDir), ["postgres"]);
  assert.equal(await readFile(join(dataDir, "thesis.txt"), "utf8"), "kept");
});

test("a killed postmaster is reported and starts again on its port while a backend of it still works", async (t) => {
  const dataDir = await givenDataDir(t);
  const first = await givenServer(t, { dataDir });
  await ask(first, "create table kept as select 7 as answer");
  // A backend that computes does not notice that its postmaster is gone; the time-out is what ends it.
  const busy = ask(
    first,
    "set statement_timeout = '3s'; select count(*) from generate_series(1, 1e10::bigint)",
  );
  const busyEnd = assert.rejects(busy);
  await eventually(
    async () =>
      (await ask(first, "select count(*) > 1 from pg_stat_activity where state = 'active'")) === true,
  );
  process.kill(first.pid, "SIGKILL");
  assert.equal(await first.exited, null);

  const second = await givenServer(t, { dataDir, port: first.port });
  assert.equal(second.port, first.port);
  assert.equal(await ask(second, "select answer from kept"), 7);
  await first.stop();
  assert.equal(isRunning(second.pid), true);
  await busyEnd;
});
