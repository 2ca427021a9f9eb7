import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Scope } from "../cli/keyturn-command.ts";
import { toolNamed } from "./tool.ts";

/** The folder of an edge under test, gone after it. */
export function givenFolder(scope: Scope): string {
  const folder = mkdtempSync(join(tmpdir(), "keyturn-edge-"));
  scope.after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 }));
  return folder;
}

/**
 * A file of `deploy/` with what depends on the place replaced, each of it exactly as often as it says.
 * @returns the path of the copy.
 */
export function placedCopy(
  source: string,
  target: string,
  places: readonly (readonly [text: string, count: number, instead: string])[],
): string {
  let content = readFileSync(source, "utf8");
  for (const [text, count, instead] of places) {
    const pieces = content.split(text);
    if (pieces.length !== count + 1)
      throw new Error(`${source} has ${text} ${pieces.length - 1} times, not ${count}`);
    content = pieces.join(instead);
  }
  writeFileSync(target, content);
  return target;
}

/** Ports that nothing listens on now. Envoy and nginx cannot say which ones they were given. */
export async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}

/** Starts a proxy in front of a server and waits until it answers for it. It ends with the test. */
export async function startEdge(
  scope: Scope,
  tool: string,
  args: readonly string[],
  isReady: () => Promise<boolean>,
): Promise<void> {
  const log = join(givenFolder(scope), "log");
  const output = openSync(log, "w");
  const child = spawn(toolNamed(tool) ?? tool, args, { stdio: ["ignore", output, output] });
  process.once("exit", () => child.kill("SIGKILL"));
  closeSync(output);
  const ended = once(child, "close");
  scope.after(() => {
    child.kill("SIGTERM");
    return ended;
  });
  while (!(await isReady().catch(() => false))) {
    if (child.exitCode !== null) throw new Error(`${tool} has ended: ${readFileSync(log, "utf8")}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
