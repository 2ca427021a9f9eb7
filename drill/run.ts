/**
 * Breaks the service on purpose and prints what was lost: `npm run drill`, `npm run drill:quick`, or
 * `npm run drill -- --quick database/killed` for some. With `--prove` each of them runs once for each of its seeded bugs
 * and fails where the bug leaves it green. The drills run in a process of their own, so that nothing of theirs is left
 * behind, whatever becomes of them: no server, no PostgreSQL, no file.
 */
import { spawn } from "node:child_process";
import { makeRunFolder } from "../test/support/run-folder.ts";

const INTERRUPTED = 130;

const interruption = new AbortController();
const { signal } = interruption;
for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(name, () => interruption.abort());

const folder = makeRunFolder("keyturn-drill-");
try {
  process.exitCode = await carryOut();
} finally {
  await folder.remove();
}

function carryOut(): Promise<number> {
  const args = ["drill/carry-out.ts", ...process.argv.slice(2)];
  const env = { ...process.env, ...folder.env };
  const child = spawn(process.execPath, args, { env, signal, stdio: "inherit" });
  // Only to say that it was ended by the signal.
  child.on("error", () => {});
  return new Promise((resolve) =>
    child.on("exit", (code) => resolve(signal.aborted ? INTERRUPTED : (code ?? 1))),
  );
}
