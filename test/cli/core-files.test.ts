import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { type TestContext, test } from "node:test";
import { givenDatabase } from "../support/database.ts";
import { startIssuer } from "../support/issuer.ts";
import { environment } from "../support/keyturn.ts";
import { startServer } from "../support/process.ts";

const skip = process.platform !== "linux" && "only Linux says what goes into a core file";

/** Which kinds of memory the kernel would write into a core file of a process, as bits (core(5)). */
const kindsInCore = (pid: number) =>
  Number.parseInt(readFileSync(`/proc/${pid}/coredump_filter`, "utf8"), 16);

async function givenServer(t: TestContext, env: Readonly<Record<string, string>> = {}) {
  const [db, issuer] = [await givenDatabase(), await startIssuer()];
  t.after(() => Promise.all([db.drop(), issuer.stop()]));
  const server = await startServer({ ...environment(db.serverUrl, issuer.url), ...env });
  t.after(() => server.stop());
  return server;
}

test("a core file of a server has nothing of its memory", { skip }, async (t) => {
  const { pid } = await givenServer(t);
  assert.equal(kindsInCore(pid), 0);
});

test("nor has a core file of a worker", { skip }, async (t) => {
  const { pid } = await givenServer(t, { KEYTURN_WORKERS: "2" });
  const workers = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ");
  assert.equal(workers.length, 2);
  assert.deepEqual(
    workers.map((worker) => kindsInCore(Number(worker))),
    [0, 0],
  );
});
