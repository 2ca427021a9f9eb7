import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { type PartialConfig, readPartialConfig } from "../config-partial.ts";
import { examineDatabase } from "../storage/database-examination.ts";
import { examineArgon2 } from "./doctor/argon2.ts";
import { examineCertificates } from "./doctor/certificates.ts";
import { examineConfiguration } from "./doctor/configuration.ts";
import { judgeDatabase } from "./doctor/database.ts";
import { judgeFailure } from "./doctor/database-failure.ts";
import { examineDoors } from "./doctor/doors.ts";
import { type Finding, ok, warning } from "./doctor/finding.ts";
import { examineIssuers } from "./doctor/issuers.ts";
import { examineRootKey } from "./doctor/root-key.ts";
import { examineWebhook, examineWebhookSecrets } from "./doctor/webhook.ts";
import { EXIT } from "./exit-code.ts";
import { printable } from "./table.ts";
import type { Terminal } from "./terminal.ts";

export interface DoctorOptions {
  readonly output?: "json";
  readonly offline?: boolean;
}

/** Says what is wrong, a line a finding, however much of it is, and gives the exit code. */
export async function runDoctor(terminal: Terminal, options: DoctorOptions): Promise<number> {
  const config = readPartialConfig(terminal.env, {
    readFile: (path) => readFileSync(path, "utf8"),
    cores: availableParallelism(),
  });
  const findings = [
    ...examineConfiguration(terminal.env, config),
    ...examineRootKey(terminal.env, config.settings),
    ...examineWebhookSecrets(terminal.env),
    ...examineCertificates(terminal.env, config, new Date()),
    ...(await examineDoors(config.settings)),
    examineArgon2(),
    ...(options.offline ? [] : await examineSurroundings(config, terminal.env)),
  ];
  const wrong = findings.filter(({ level }) => level === "wrong").length;
  const warnings = findings.filter(({ level }) => level === "warning").length;
  if (options.output === "json") {
    terminal.out(`${JSON.stringify({ wrong, warnings, findings }, undefined, 2)}\n`);
  } else {
    terminal.out(findings.map((finding) => `${lineOf(finding)}\n`).join(""));
    terminal.out(`${wrong} wrong, ${warnings} warnings\n`);
  }
  return wrong === 0 ? EXIT.yes : EXIT.no;
}

async function examineSurroundings(
  { settings, production }: PartialConfig,
  env: Terminal["env"],
): Promise<Finding[]> {
  const { DATABASE_URL: url, KEYTURN_OIDC_ISSUER: issuers = [] } = settings;
  const [database, ofIssuers, ofWebhook] = await Promise.all([
    url === undefined ? [] : examine(url, { settings, production }),
    examineIssuers(issuers, production),
    examineWebhook(settings, env),
  ]);
  const isEmbedded = url === undefined && !production;
  return [
    ...(isEmbedded
      ? [ok("database", "DATABASE_URL", "is absent: a development server starts one of its own")]
      : []),
    ...database,
    ...ofIssuers,
    ...ofWebhook,
  ];
}

async function examine(
  url: string,
  { settings, production }: Pick<PartialConfig, "settings" | "production">,
): Promise<Finding[]> {
  const examination = await examineDatabase(url);
  const found =
    "failure" in examination
      ? [judgeFailure(examination.failure)]
      : judgeDatabase(examination.facts, {
          production,
          connectionsMax: settings.KEYTURN_DATABASE_CONNECTIONS_MAX ?? 0,
          rootKeys: settings.KEYTURN_ROOT_KEY,
          now: new Date(),
        });
  return isInClear(url)
    ? [
        warning(
          "database_in_clear",
          "DATABASE_URL",
          "goes to another machine without TLS",
          "add ?sslmode=verify-full, or let a tunnel carry it",
        ),
        ...found,
      ]
    : found;
}

const LOCAL = /^(localhost|127(\.\d{1,3}){3}|\[::1\]|)$/;

function isInClear(url: string): boolean {
  const hosts = /^\w+:\/\/(?:[^@/?#]*@)?([^/?#]*)/.exec(url)?.[1] ?? "";
  const isLocal = hosts.split(",").every((host) => LOCAL.test(host.replace(/:\d+$/, "")));
  return !isLocal && !/[?&](sslmode=(?!disable)|ssl=(?!false))/.test(url);
}

const lineOf = ({ level, where, what, todo }: Finding): string =>
  printable(`${level.padEnd(7)} ${where}: ${what}${todo === undefined ? "" : `. To do: ${todo}`}`);
