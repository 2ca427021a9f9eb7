import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";

/** What npm, or what it ran, ended with and wrote. */
export interface NpmOutcome {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Calls npm in a folder, by the settings of that folder: an npm that runs this process hands its own down as variables,
 * and they would count for more.
 */
export async function npm(
  cwd: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<NpmOutcome> {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^npm_config_ignore_scripts$/i.test(name),
  );
  const child = spawn("npm", args, {
    cwd,
    env: { ...Object.fromEntries(inherited), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const end = () => child.kill("SIGKILL");
  process.once("exit", end);
  const ended = new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  });
  const [status, stdout, stderr] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  process.off("exit", end);
  return { status, stdout, stderr };
}

/** Whether npm could not do its work because there was no registry to ask. */
export const lacksRegistry = ({ status, stderr }: Pick<NpmOutcome, "status" | "stderr">): boolean =>
  status !== 0 && /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT/.test(stderr);
