import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, test } from "node:test";
import { givenDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { startIssuer } from "../support/issuer.ts";
import { environment } from "../support/keyturn.ts";
import { givenDataDir } from "./data-folder.ts";
import { scopeOf } from "./keyturn-command.ts";

/** Ways to be the first process of a PID namespace, as in a container: as root, and as anybody. */
const WAYS = [[], ["--user", "--map-root-user"]].map((more) => [...more, "--pid", "--fork", "--mount-proc"]);
const way = WAYS.find((options) => spawnSync("unshare", [...options, "true"]).status === 0);

/** Makes the loading of the program long: says that it has begun, and goes on once it may. */
const SLOW_TO_LOAD = `
import { existsSync, writeFileSync } from "node:fs";
import { registerHooks } from "node:module";
registerHooks({
  load(url, context, next) {
    if (url.endsWith("/src/main.ts")) {
      writeFileSync(process.env.BEGUN, "");
      const asleep = new Int32Array(new SharedArrayBuffer(4));
      while (!existsSync(process.env.MAY_GO_ON)) Atomics.wait(asleep, 0, 0, 5);
    }
    return next(url, context);
  },
});`;

const PRODUCTION = {
  NODE_ENV: "production",
  KEYTURN_TOKEN_ISSUER: "https://keyturn.example",
  KEYTURN_ARGON2_MEMORY_KIB: "19456",
  KEYTURN_ARGON2_PASSES: "2",
};

const scope = scopeOf({ after });

test("a server that is the first process of its container ends when it is told so while it is being loaded", {
  skip: way === undefined && "there is no unshare on this machine, or it may not be used",
  timeout: 100_000,
}, async (t) => {
  const [db, issuer] = [await givenDatabase(), await startIssuer()];
  t.after(() => Promise.all([db.drop(), issuer.stop()]));
  const folder = await givenDataDir(scope);
  const [begun, mayGoOn] = [join(folder, "begun"), join(folder, "may-go-on")];
  const child = spawn("unshare", [...(way ?? []), process.execPath, "bin/keyturn.mjs", "serve"], {
    env: {
      ...environment(db.serverUrl, issuer.url),
      ...PRODUCTION,
      BEGUN: begun,
      MAY_GO_ON: mayGoOn,
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(SLOW_TO_LOAD)}`,
    },
    stdio: "ignore",
  });
  const ended = once(child, "exit");
  await eventually(() => existsSync(begun));
  const server = childOf(child.pid as number);
  t.after(() => child.exitCode === null && process.kill(server, "SIGKILL"));
  process.kill(server, "SIGTERM");
  writeFileSync(mayGoOn, "");
  const [exitCode] = await ended;
  // At once, or by the drain of the server that it has become meanwhile.
  assert.ok([143, 0].includes(exitCode), `exit code ${exitCode}`);
});

const childOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ")[0]);
