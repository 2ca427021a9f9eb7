/** What the tests of the embedded database stand on. Everything given ends with its test, the newest first. */
import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { chmod, cp, mkdtemp, readdir, readFile, realpath, rm, rmdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import postgres from "postgres";
import {
  type EmbeddedPostgres,
  type EmbeddedPostgresOptions,
  startEmbeddedPostgres,
} from "../../src/dev/embedded-postgres.ts";
import { SHARED_DIR } from "../../src/dev/postgres-folder.ts";

const LAUNCHER = new URL("../../src/dev/embedded-postgres.ts", import.meta.url).href;
const PLATFORM = `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;

const endings = new WeakMap<TestContext, (() => unknown)[]>();

/** Runs `ending` when the test has ended. The newest first, as a server must end before its folder does. */
export function atEnd(t: TestContext, ending: () => unknown): void {
  const known = endings.get(t);
  if (known !== undefined) {
    known.push(ending);
    return;
  }
  const mine = [ending];
  endings.set(t, mine);
  t.after(async () => {
    for (const next of mine.toReversed()) await next();
  });
}

/** A server that ends with the test. */
export async function givenServer(
  t: TestContext,
  options: EmbeddedPostgresOptions,
): Promise<EmbeddedPostgres> {
  const starting = startEmbeddedPostgres(options);
  atEnd(t, async () => {
    const server = await starting.catch(() => undefined);
    await server?.stop();
    const moved = await readFile(`${options.dataDir}.moved.txt`, "utf8").catch(() => "");
    const home = new RegExp(`${SHARED_DIR}/[0-9a-f]+(?=/)`).exec(moved)?.[0];
    if (home !== undefined) await removeTree(home);
  });
  return starting;
}

export async function givenFolder(t: TestContext, mode: number): Promise<string> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), "keyturn-test-")));
  await chmod(folder, mode);
  atEnd(t, () => removeTree(folder));
  return folder;
}

export async function givenDataDir(t: TestContext): Promise<string> {
  return join(await givenFolder(t, 0o755), "postgres");
}

/**
 * What the launcher keeps in the folder of `dataDir`, sorted. Not the programs, which are there as well where the
 * server's user cannot enter the checkout.
 */
export async function filesBeside(dataDir: string): Promise<string[]> {
  const names = await readdir(dirname(dataDir));
  return names.filter((name) => name !== "binaries").sort();
}

/** The installed package, copied to `folder` as npm unpacks it: without its links. Its version is this test's own. */
export async function givenPackage(t: TestContext, folder: string): Promise<string> {
  const installed = dirname(dirname(fileURLToPath(import.meta.resolve(`@embedded-postgres/${PLATFORM}`))));
  const packageDir = join(folder, "package");
  await cp(installed, packageDir, { recursive: true, verbatimSymlinks: true });
  const links = JSON.parse(await readFile(join(installed, "native", "pg-symlinks.json"), "utf8"));
  for (const { target } of links) await rm(join(packageDir, target), { force: true });
  const version = `0.0.0-${basename(folder)}`;
  await writeFile(
    join(packageDir, "package.json"),
    JSON.stringify({ name: `@embedded-postgres/${PLATFORM}`, version }),
  );
  const present = { shared: existsSync(SHARED_DIR), binaries: existsSync(join(SHARED_DIR, "binaries")) };
  atEnd(t, async () => {
    await removeTree(join(SHARED_DIR, "binaries", `${PLATFORM}-${version}`));
    if (!present.binaries) await rmdir(join(SHARED_DIR, "binaries")).catch(() => {});
    if (!present.shared) await rmdir(SHARED_DIR).catch(() => {});
  });
  return packageDir;
}

const OWNER = `
  const [url, dataDir] = process.argv.slice(1);
  const { startEmbeddedPostgres } = await import(url);
  const { default: postgres } = await import("postgres");
  process.on("SIGINT", () => {});
  const server = await startEmbeddedPostgres({ dataDir });
  const ask = async (query) => {
    const { user, password } = server.superuser;
    const sql = postgres(server.url({ user, password, database: "postgres" }), { max: 1 });
    try { return (await sql.unsafe(query))[0]; } finally { await sql.end(); }
  };
  await ask("create table kept as select 1 as answer");
  console.log(JSON.stringify({ pid: server.pid }));
  process.stdin.on("data", async () => console.log(JSON.stringify(await ask("select answer from kept"))));
  process.stdin.on("end", () => server.stop());
`;

/** The first line has the server's pid, each later one the answer of a query. */
interface OwnerLine {
  readonly pid: number;
  readonly answer: number;
}

interface OwnerProcess {
  readonly child: ChildProcess;
  readonly lines: AsyncIterator<string>;
  readonly server: OwnerLine;
}

/** Another process that owns a server: answers every line on stdin with a query, stops its server when stdin ends. */
export async function givenOwnerProcess(t: TestContext, dataDir: string): Promise<OwnerProcess> {
  const child = spawnOwner(t, dataDir);
  assert.ok(child.stdout);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const server = await nextLine({ lines });
  // A test that fails may leave the server without its owner; it is this test's own, known by its pid.
  atEnd(t, () => isRunning(server.pid) && process.kill(server.pid, "SIGQUIT"));
  return { child, lines, server };
}

export function spawnOwner(t: TestContext, dataDir: string): ChildProcess {
  const args = ["--input-type=module", "--eval", OWNER, LAUNCHER, dataDir];
  const cwd = fileURLToPath(new URL("../..", import.meta.url));
  const child = spawn(process.execPath, args, { cwd, detached: true, stdio: ["pipe", "pipe", "inherit"] });
  atEnd(t, () => child.kill("SIGKILL"));
  return child;
}

export async function nextLine({ lines }: Pick<OwnerProcess, "lines">): Promise<OwnerLine> {
  const { value } = await lines.next();
  return JSON.parse(value);
}

/** The first column of the last row. */
export async function ask(
  server: EmbeddedPostgres,
  query: string,
  password = server.superuser.password,
): Promise<unknown> {
  const sql = postgres(server.url({ user: "postgres", password, database: "postgres" }), { max: 1 });
  try {
    const rows = await sql.unsafe(query);
    return Object.values(rows.at(-1) ?? {})[0];
  } finally {
    await sql.end({ timeout: 0 });
  }
}

export async function answers(host: string, port: number): Promise<boolean> {
  const socket = connect({ host, port, timeout: 5_000 });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Whether the process lives. One that ended and that nobody has collected yet does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  return process.platform !== "linux" || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, "utf8"));
}

/** What `look` finds, once it finds something. Ends with the test runner's own patience. */
export async function eventually<T>(look: () => Promise<T | undefined>): Promise<NonNullable<T>> {
  for (;;) {
    const found = await look();
    if (found) return found;
    await delay(5);
  }
}

async function removeTree(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true, maxRetries: 10 });
}
