import { z } from "zod";
import { assertIssuerName } from "./auth/issuer-metadata.ts";
import { type KeyRing, parseRootKeys } from "./auth/root-keys.ts";
import { form, variable } from "./config-variable.ts";
import { DEFAULT_POLICY } from "./domain/policy.ts";
import { createClientAddress } from "./door/client-address.ts";

export type Env = Readonly<Record<string, string | undefined>>;

/** An empty variable counts as absent. */
export const withoutEmpty = (env: Env): Env =>
  Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ""));

/** How the values of variables are written. What is wrong with one never quotes it: it may be a secret. */

/** What is missing in production is said so; elsewhere it may be absent. */
export const MISSING = "is required in production";
export const required = <T extends z.ZodType>(production: boolean, type: T) =>
  production ? type : type.optional();

const portNumber = z
  .string()
  .regex(/^\d{1,5}$/, "must be a port from 0 to 65535")
  .transform(Number)
  .refine((value) => value <= 65_535, "must be a port from 0 to 65535");
const PORT = { form: "port", bounds: "0–65535; 0 takes a free one" };

export const port = (standard: number) => form(portNumber.default(standard), PORT);

/** Of a door that is not opened while its variable is absent. */
export const optionalPort = () => form(portNumber.optional(), { ...PORT, standard: "none" });

export const whole = (min: number, max: number, standard: number) => {
  const message = `must be a whole number from ${min} to ${max}`;
  return form(
    z
      .string()
      .regex(/^\d{1,9}$/, message)
      .transform(Number)
      .refine((value) => value >= min && value <= max, message)
      .default(standard),
    { form: "number", bounds: `${min}–${max}` },
  );
};

const UNIT_SECONDS: Record<string, number> = { s: 1, m: 60, h: 3600, d: 86_400 };
const LIFETIME_SECONDS_MAX = 3660 * 86_400;

export const lifetime = (standardSeconds: number) =>
  form(
    z
      .string()
      .regex(/^\d{1,9}[smhd]$/, "must be a number and a unit, such as 90d, 12h, 30m or 60s")
      .transform((text) => Number(text.slice(0, -1)) * (UNIT_SECONDS[text.slice(-1)] ?? 1))
      .refine((seconds) => seconds >= 1 && seconds <= LIFETIME_SECONDS_MAX, "must be from 1s to 3660d")
      .default(standardSeconds),
    { form: "duration", bounds: "1s–3660d", standard: `\`${inUnits(standardSeconds)}\`` },
  );

/** Seconds as an operator writes them, in the largest unit that leaves no rest. */
function inUnits(seconds: number): string {
  const [unit = "s", length = 1] =
    Object.entries(UNIT_SECONDS).findLast(([, length]) => seconds % length === 0) ?? [];
  return `${seconds / length}${unit}`;
}

export const LIFETIMES = {
  KEYTURN_LIFETIME_MIN: variable(lifetime(DEFAULT_POLICY.minLifetimeSeconds), {
    meaning: "shortest lifetime of a credential; an organization may be stricter",
  }),
  KEYTURN_LIFETIME_DEFAULT: variable(lifetime(DEFAULT_POLICY.defaultLifetimeSeconds), {
    meaning: "lifetime of a credential whose creator names no end; an organization may set its own",
  }),
  KEYTURN_LIFETIME_MAX: variable(lifetime(DEFAULT_POLICY.maxLifetimeSeconds), {
    meaning: "longest lifetime of a credential; an organization may be stricter",
  }),
};

/** Apart from the rest, as a rule over several variables is not looked at while any other variable is wrong. */
export function lifetimeMistakes(env: Env): string[] {
  const { data } = z.object(LIFETIMES).safeParse(env);
  if (data === undefined) return [];
  const { KEYTURN_LIFETIME_MIN: min, KEYTURN_LIFETIME_DEFAULT: standard, KEYTURN_LIFETIME_MAX: max } = data;
  if (min <= standard && standard <= max) return [];
  return [`${Object.keys(LIFETIMES).join(", ")} must not decrease in this order`];
}

/** Words separated by commas. */
export const list = z
  .string()
  .transform((text) =>
    text
      .split(",")
      .map((part) => part.trim())
      .filter((part) => part !== ""),
  )
  .refine((parts) => parts.length > 0, "must name at least one");

/** A list that has a default. */
export const words = (...standard: string[]) =>
  form(list.default(standard), { form: "list", standard: `\`${standard.join(",")}\`` });

export const issuers = list.refine(
  (names) => names.every((name) => succeeds(() => assertIssuerName(name))),
  "must hold https URLs without query or fragment (http only for loopback), separated by commas",
);

/** The name of one issuer, as it stands in `iss`. */
export const issuerName = z.string().refine(
  // A comma may stand in a URL, but whoever is to trust this issuer lists it among others.
  (name) => !name.includes(",") && succeeds(() => assertIssuerName(name)),
  "must be one https URL without query or fragment (http only for loopback)",
);

export const audience = z.string().regex(/^[^\s,]+$/, "must be one audience");

export const trustedProxies = list
  .refine(
    (proxies) => succeeds(() => createClientAddress(proxies)),
    "must hold addresses or CIDRs such as 10.0.0.0/8, separated by commas",
  )
  .default([]);

/** Several hosts may stand for the one of a URL, separated by commas. */
export const databaseUrl = z
  .string()
  .regex(/^postgres(ql)?:\/\//, { error: "must start with postgres:// or postgresql://", abort: true })
  .refine(
    (text) => succeeds(() => assertDatabaseUrl(text)),
    "is not a URL: write / ? # @ % in a name or password as %2F %3F %23 %40 %25",
  );

export const rootKeys = z.string().transform((text, context): KeyRing => {
  const parsed = parseRootKeys(text);
  if ("keys" in parsed) return parsed.keys;
  context.addIssue(`cannot be used: ${parsed.problem}`);
  return z.NEVER;
});

/** As the driver reads it: the hosts stand between the first `@` and the next `/` or `?`. */
function assertDatabaseUrl(text: string): void {
  const [authority = ""] = text.slice(text.indexOf("://") + 3).split(/[/?#]/);
  const hosts = authority.slice(authority.indexOf("@") + 1);
  for (const host of hosts.split(",")) {
    const url = new URL(text.replace(hosts, () => host));
    if (hosts.includes("@") || url.hash !== "") throw new TypeError("a name or password was not escaped");
    decodeURIComponent(`${url.username}${url.password}${url.pathname}`);
  }
}

function succeeds(attempt: () => void): boolean {
  try {
    attempt();
    return true;
  } catch {
    return false;
  }
}

/** Variables that may stand in a file instead, which the same name with `_FILE` names. */
export const FILE_VARIABLES = ["KEYTURN_ROOT_KEY", "KEYTURN_WEBHOOK_SECRETS"] as const;
export type FileVariable = (typeof FILE_VARIABLES)[number];

export interface FileText {
  readonly variable: FileVariable;
  /** The variable to name in a mistake. */
  readonly name: FileVariable | `${FileVariable}_FILE`;
  readonly text?: string;
  readonly problem?: string;
}

/** What stands in a variable, or in the file that another one names. */
export function readFileText(env: Env, variable: FileVariable, readFile: (path: string) => string): FileText {
  const name = `${variable}_FILE` as const;
  const [text, file] = [env[variable], env[name]];
  if (file === undefined) return { variable, name: variable, ...(text === undefined ? {} : { text }) };
  if (text !== undefined)
    return { variable, name, problem: `${variable} and ${name} are both set: leave one out` };
  try {
    return { variable, name, text: readFile(file).trim() };
  } catch (err) {
    return { variable, name, problem: unreadable(name, err) };
  }
}

/** That the file of a variable cannot be read, and why, by the system's code: its message has the path. */
export const unreadable = (name: string, err: unknown): string =>
  `${name} cannot be read (${(err as NodeJS.ErrnoException).code ?? "?"})`;
