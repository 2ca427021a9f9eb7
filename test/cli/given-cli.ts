import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import type { Scope } from "./keyturn-command.ts";
import { type ProgramOptions, type Ran, runProgram } from "./program-runner.ts";

export interface GivenCli {
  readonly keyturn: TestKeyturn;
  readonly organizationId: string;
  /** `keyturn …` as an administrator and verifier of the organization. */
  run(args: readonly string[], options?: ProgramOptions): Promise<Ran>;
  /** The same, with its answer read from JSON; throws unless it ends with 0. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came back
  answer(args: readonly string[], options?: ProgramOptions): Promise<any>;
  /** A folder for the files of one test. */
  folder(): string;
}

export async function givenCli(scope: Scope): Promise<GivenCli> {
  const keyturn = await givenKeyturn();
  scope.after(() => keyturn.stop());
  const { organizationId } = await keyturn.givenAccount();
  const token = await keyturn.token(organizationId, { roles: ["admin", "verifier"] });
  const env = { KEYTURN_ADDRESS: keyturn.grpcAddress, KEYTURN_ACCESS_TOKEN: token };
  const run = (args: readonly string[], options: ProgramOptions = {}) =>
    runProgram(args, { ...options, env: { ...env, ...options.env } });
  return {
    keyturn,
    organizationId,
    run,
    async answer(args, options) {
      const { status, out, err } = await run(args, options);
      if (status !== 0) throw new Error(`${args.join(" ")}: ${status}\n${err}`);
      return JSON.parse(out);
    },
    folder() {
      const folder = mkdtempSync(join(tmpdir(), "keyturn-cli-"));
      scope.after(() => rmSync(folder, { recursive: true }));
      return folder;
    },
  };
}
