import { randomBytes } from "node:crypto";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import type { Scope } from "./keyturn-command.ts";
import { runProgram } from "./program-runner.ts";

type Env = Readonly<Record<string, string | undefined>>;

export interface GivenDoctor {
  readonly db: TestDatabase;
  readonly issuer: TestIssuer;
  /** A production that nothing is wrong with. */
  readonly env: Readonly<Record<string, string>>;
  /** What the doctor says of it with these variables changed. */
  examine(changes?: Env, args?: readonly string[]): Promise<Examined>;
}

export interface Examined {
  readonly status: number;
  readonly out: string;
  readonly findings: readonly Finding[];
  /** The checks that found something of this level, each once. */
  named(level: Finding["level"]): string[];
}

export async function givenDoctor(scope: Scope): Promise<GivenDoctor> {
  const [db, issuer] = await Promise.all([givenDatabase(), startIssuer()]);
  scope.after(() => Promise.all([db.drop(), issuer.stop()]));
  const env = {
    NODE_ENV: "production",
    DATABASE_URL: db.serverUrl,
    KEYTURN_OIDC_ISSUER: issuer.url,
    KEYTURN_OIDC_AUDIENCE: "keyturn",
    KEYTURN_ROOT_KEY: randomBytes(32).toString("base64"),
    KEYTURN_TOKEN_ISSUER: "https://keyturn.example.com",
    KEYTURN_GRPC_PORT: "0",
    KEYTURN_HTTP_PORT: "0",
    KEYTURN_ADMIN_PORT: "0",
  };
  return {
    db,
    issuer,
    env,
    async examine(changes = {}, args = []) {
      const ran = await runProgram(["doctor", "--output", "json", ...args], { env: { ...env, ...changes } });
      const { findings } = JSON.parse(ran.out) as { findings: Finding[] };
      const named = (level: Finding["level"]) => [
        ...new Set(findings.filter((finding) => finding.level === level).map(({ check }) => check)),
      ];
      return { ...ran, findings, named };
    },
  };
}
