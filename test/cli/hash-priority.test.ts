import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { givenDatabase } from "../support/database.ts";
import { startIssuer } from "../support/issuer.ts";
import { environment } from "../support/keyturn.ts";
import { startServer } from "../support/process.ts";

/** Names and nice values of a process's threads, the main one first (proc(5): the nineteenth field of stat). */
function threadsOf(pid: number): { readonly name: string; readonly nice: number }[] {
  return readdirSync(`/proc/${pid}/task`).map((id) => {
    const stat = readFileSync(`/proc/${pid}/task/${id}/stat`, "utf8");
    const [, name = "", fields = ""] = /^\d+ \((.*)\) (.*)$/s.exec(stat) ?? [];
    return { name, nice: Number(fields.split(" ")[16]) };
  });
}

test("the threads in which a server hashes let its event loop go first", {
  skip: process.platform !== "linux" && "only Linux has priorities of single threads",
}, async (t) => {
  const [db, issuer] = [await givenDatabase(), await startIssuer()];
  t.after(() => Promise.all([db.drop(), issuer.stop()]));
  const server = await startServer(environment(db.serverUrl, issuer.url));
  t.after(() => server.stop());
  const [main, ...others] = threadsOf(server.pid);
  const hashing = others.filter(({ name }) => name === "libuv-worker");
  assert.ok(hashing.length >= 4, others.map(({ name }) => name).join());
  for (const { nice } of hashing) assert.equal(nice, (main?.nice ?? 0) + 10);
});
