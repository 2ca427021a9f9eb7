import { type ConfigDeps, isProduction, readConfig } from "./config.ts";
import { type Settings, schemaOf } from "./config-schema.ts";
import { type Env, FILE_VARIABLES, readFileText, withoutEmpty } from "./config-values.ts";

/** What can be read of a configuration, however much of it is wrong. */
export interface PartialConfig {
  readonly production: boolean;
  /** The variables that are right, and the defaults of those that are absent. */
  readonly settings: Partial<Settings>;
  /** As `readConfig` names them. */
  readonly mistakes: readonly string[];
}

/** For whoever has to go on where a server refuses. */
export function readPartialConfig(env: Env, deps: ConfigDeps): PartialConfig {
  const production = isProduction(env);
  const result = readConfig(env, deps);
  const texts = FILE_VARIABLES.map((variable) => readFileText(withoutEmpty(env), variable, deps.readFile));
  const given: Env = {
    ...withoutEmpty(env),
    ...Object.fromEntries(texts.map(({ variable, text }) => [variable, text])),
  };
  const settings = Object.entries(schemaOf(production, deps.cores).shape).flatMap(([name, type]) => {
    const parsed = type.safeParse(given[name]);
    return parsed.success ? [[name, parsed.data]] : [];
  });
  return {
    production,
    settings: Object.fromEntries(settings),
    mistakes: "mistakes" in result ? result.mistakes : [],
  };
}

/** Every variable that means something, or would under another name. */
export const variableNames = (): string[] => [
  ...Object.keys(schemaOf(false, 1).shape),
  ...FILE_VARIABLES.map((name) => `${name}_FILE`),
];
