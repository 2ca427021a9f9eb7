import { type Config, readConfig } from "../../src/config.ts";

/** Any 32 bytes, written as a root key. */
export const ROOT_KEY = Buffer.alloc(32, 9).toString("base64");

export type Env = Readonly<Record<string, string | undefined>>;

const FILES: Readonly<Record<string, string>> = {
  "/keys": `${ROOT_KEY},${Buffer.alloc(32, 8).toString("base64")}\n`,
  "/webhook-secrets": `whsec_${ROOT_KEY}\n`,
  "/empty": "\n",
  "/geheim": "geheim",
};

const deps = {
  cores: 4,
  readFile: (path: string): string => {
    const text = FILES[path];
    if (text === undefined) throw new Error(`ENOENT: ${path}`);
    return text;
  },
};

/** All that production demands. */
export const PRODUCTION: Env = {
  NODE_ENV: "production",
  DATABASE_URL: "postgres://keyturn:secret@db.example:5432/keyturn",
  KEYTURN_OIDC_ISSUER: "https://login.example",
  KEYTURN_OIDC_AUDIENCE: "keyturn",
  KEYTURN_TOKEN_ISSUER: "https://keyturn.example",
  KEYTURN_ROOT_KEY: ROOT_KEY,
};

/** @throws when there are mistakes. */
export function configOf(env: Env): Config {
  const result = readConfig(env, deps);
  if ("mistakes" in result) throw new Error(result.mistakes.join("\n"));
  return result.config;
}

export function mistakesOf(env: Env): readonly string[] {
  const result = readConfig(env, deps);
  return "mistakes" in result ? result.mistakes : [];
}
