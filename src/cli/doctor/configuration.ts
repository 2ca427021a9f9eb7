import { type PartialConfig, variableNames } from "../../config-partial.ts";
import type { Settings } from "../../config-schema.ts";
import { type Finding, ok, warning, wrong } from "./finding.ts";

type Env = Readonly<Record<string, string | undefined>>;

const SEE = "see docs/configuration.md";

/** A new root key in the place of one that was damaged ends every secret that was issued under that. */
const RESTORE_ROOT_KEY =
  "restore it from where it is kept, and never make a new one over it: see docs/runbook.md";
const MAKE_ROOT_KEY =
  "restore that of the servers of this database; where there were none yet, make one: openssl rand -base64 32";

/** What to do about a variable whose value is missing or refused, where its own sentence does not say it. */
const WHAT_TO_DO: Readonly<Record<string, string>> = {
  KEYTURN_ROOT_KEY: RESTORE_ROOT_KEY,
  KEYTURN_ROOT_KEY_FILE: RESTORE_ROOT_KEY,
  DATABASE_URL: "set postgres://LOGIN:PASSWORD@HOST/DATABASE, with the servers' login",
  KEYTURN_OIDC_ISSUER: "set it to what stands in `iss` of your tokens, character for character",
  KEYTURN_OIDC_AUDIENCE: "set it to what stands in `aud` of your tokens",
};

/** What the variables say by themselves, without asking anybody. */
export function examineConfiguration(env: Env, { production, settings, mistakes }: PartialConfig): Finding[] {
  const findings = [
    ...mistakes.map((mistake) => mistaken(env, mistake)),
    ...unknownVariables(env),
    ...(production ? [] : [notProduction(env)]),
    ...whoIsTrusted(settings),
    ...whatItCosts(production, settings),
    ...whatIsTold(production, settings),
  ];
  const isFine = findings.every(({ level }) => level !== "wrong");
  return isFine ? [ok("configuration", "variables", "all are understood"), ...findings] : findings;
}

/** Mistakes begin with their variables, of which there may be several. */
function mistaken(env: Env, mistake: string): Finding {
  const [, where = "configuration", what = mistake] =
    /^([A-Z][A-Z0-9_]+(?:(?:, | and )[A-Z0-9_]+)*) (.*)$/.exec(mistake) ?? [];
  return wrong("configuration", where, what, whatToDo(env, where, what));
}

function whatToDo(env: Env, where: string, what: string): string {
  if (/^cannot be read \((EACCES|EPERM)\)/.test(what)) return "let this user read it, and enter its folder";
  if (where === "KEYTURN_ROOT_KEY" && !env[where]) return MAKE_ROOT_KEY;
  return WHAT_TO_DO[where] ?? SEE;
}

/** Those of callers and of tests. */
const OTHERS = /^KEYTURN_(ADDRESS|ACCESS_TOKEN|TEST_.*)$/;

/** A misspelt variable is a default that nobody has chosen. */
function unknownVariables(env: Env): Finding[] {
  const known = new Set(variableNames());
  const unknown = Object.keys(env).filter(
    (name) => name.startsWith("KEYTURN_") && !known.has(name) && !OTHERS.test(name),
  );
  return unknown.map((name) => wrong("unknown_variable", name, "means nothing: is it misspelt?", SEE));
}

const notProduction = (env: Env): Finding =>
  warning(
    "development_mode",
    "NODE_ENV",
    `is ${env["NODE_ENV"] === undefined ? "absent" : "not production"}: what is missing is made up, tokens of the development issuer included`,
    "set NODE_ENV=production",
  );

function whoIsTrusted(settings: Partial<Settings>): Finding[] {
  const { KEYTURN_TRUSTED_PROXIES: proxies = [] } = settings;
  const prefixOf = (range: string) => Number(/\/(\d+)$/.exec(range)?.[1] ?? 128);
  const wide = proxies.filter((range) => prefixOf(range) < PREFIX_MIN);
  const broad = proxies.filter(
    (range) => !wide.includes(range) && prefixOf(range) < (range.includes(":") ? 48 : 16),
  );
  const [admins, platform] = [
    new Set([...(settings.KEYTURN_ADMIN_ROLES ?? []), ...(settings.KEYTURN_VERIFIER_ROLES ?? [])]),
    settings.KEYTURN_PLATFORM_VERIFIER_ROLES ?? [],
  ];
  const shared = platform.filter((role) => admins.has(role));
  return [
    ...wide.map((range) =>
      wrong(
        "trusted_proxies",
        "KEYTURN_TRUSTED_PROXIES",
        `${range} lets nearly anybody choose the address that he is taken for`,
        "name the addresses of your own proxies",
      ),
    ),
    ...broad.map((range) =>
      warning(
        "trusted_proxies",
        "KEYTURN_TRUSTED_PROXIES",
        `whoever has an address in ${range} chooses the one that he is taken for, past allowed_cidrs and the throttles`,
        "name the addresses of your own proxies, if anybody else has one there",
      ),
    ),
    ...shared.map((role) =>
      wrong(
        "platform_role_shared",
        "KEYTURN_PLATFORM_VERIFIER_ROLES",
        `${role} is a role of single organizations too: who has it there verifies for all organizations`,
        "take a role that no organization can give",
      ),
    ),
  ];
}

/** Wider than this no network of proxies is. */
const PREFIX_MIN = 8;

const MEMORY_KIB_MIN = 19_456;
const PASSES_MIN = 2;

function whatItCosts(production: boolean, settings: Partial<Settings>): Finding[] {
  const { KEYTURN_ARGON2_MEMORY_KIB: memory = MEMORY_KIB_MIN, KEYTURN_ARGON2_PASSES: passes = PASSES_MIN } =
    settings;
  const isCheap = memory < MEMORY_KIB_MIN || passes < PASSES_MIN;
  if (production || !isCheap) return [];
  return [
    warning(
      "argon2_cost",
      "KEYTURN_ARGON2_MEMORY_KIB, KEYTURN_ARGON2_PASSES",
      `${memory} KiB and ${passes} passes are below what OWASP asks for, and production refuses them`,
      `leave them out, or set at least ${MEMORY_KIB_MIN} and ${PASSES_MIN}`,
    ),
  ];
}

function whatIsTold(production: boolean, settings: Partial<Settings>): Finding[] {
  const { KEYTURN_REFLECTION: reflection, LOG_LEVEL: level = "info" } = settings;
  const isMute = ["silent", "fatal", "error", "warn"].includes(level);
  return [
    ...(production && reflection === true
      ? [warning("reflection", "KEYTURN_REFLECTION", "is on: strangers can list the API", "leave it out")]
      : []),
    ...(production && isMute
      ? [warning("log_level", "LOG_LEVEL", `${level} leaves calls out of the log`, "set info")]
      : []),
  ];
}
