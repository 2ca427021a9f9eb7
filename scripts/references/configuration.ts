import type { z } from "zod";
import { variablesOf } from "../../src/config-schema.ts";
import { type Meaning, meaningOf } from "../../src/config-variable.ts";

const TITLES: Readonly<Record<keyof ReturnType<typeof variablesOf>, string>> = {
  storage: "Storage",
  doors: "Doors",
  callers: "Callers",
  accessTokens: "Access tokens",
  secrets: "Secrets",
  credentials: "Credentials",
  webhook: "Webhook",
  log: "Log",
  tracing: "Traces",
};

/** docs/configuration.md: every variable, as the schemas in `src/config*.ts` have it. */
export function configurationReference(): string {
  const [development, production] = [variablesOf(false, 1), variablesOf(true, 1)];
  const sections = Object.entries(TITLES).flatMap(([group, title]) => {
    const [here, there] = [development, production].map(
      (variables): Shape => variables[group as keyof typeof variables],
    );
    const names = Object.keys(here ?? {});
    return ["", `## ${title}`, "", ...HEAD, ...names.map((name) => rowOf(name, here?.[name], there?.[name]))];
  });
  return `${[INTRODUCTION, ...sections].join("\n")}\n`;
}

type Shape = Readonly<Record<string, z.ZodType>>;

const INTRODUCTION = `# Configuration

Generated from \`src/config*.ts\` by \`npm run generate\`.

Variables of the environment, read once at the start; every mistake is named at once, with exit code 1. An empty variable counts as absent. A list is
words separated by commas. A duration is a number with \`s\`, \`m\`, \`h\` or \`d\`. Production is \`NODE_ENV=production\`; other values than that,
\`development\` and \`test\` are refused. What is secret is never logged, nor quoted in a mistake.`;

const HEAD = ["| variable | form | default | bounds | meaning |", "| --- | --- | --- | --- | --- |"];

function rowOf(name: string, development: z.ZodType | undefined, production: z.ZodType | undefined): string {
  const [here, there] = [described(name, development), described(name, production)];
  const cells = [
    `\`${name}\``,
    here.form ?? "text",
    standardsOf(here, there),
    boundsOf(here, there),
    `${here.meaning}${here.sensitive === true ? "; **secret**" : ""}`,
  ];
  return `| ${cells.map((cell) => cell.replaceAll("|", "\\|")).join(" | ")} |`;
}

interface Described extends Omit<Meaning, "standard"> {
  /** Undefined when it may not be absent. */
  readonly standard: string | undefined;
}

/** @throws TypeError for a variable without a meaning: it is said beside its schema, by `variable`. */
function described(name: string, type: z.ZodType | undefined): Described {
  const meaning = type && meaningOf(type);
  if (type === undefined || meaning === undefined) throw new TypeError(`${name} is not described`);
  const { success, data } = type.safeParse(undefined);
  const own = data === undefined ? undefined : `\`${String(data)}\``;
  return { ...meaning, standard: success ? (meaning.standard ?? own ?? "none") : undefined };
}

function standardsOf({ standard = "required" }: Described, there: Described): string {
  const inProduction = there.standard ?? there.standardInProduction ?? "required";
  return standard === inProduction ? standard : `${standard}; in production ${inProduction}`;
}

function boundsOf({ bounds = "" }: Described, there: Described): string {
  return bounds === (there.bounds ?? "") ? bounds : `${bounds}; in production ${there.bounds ?? "any"}`;
}
