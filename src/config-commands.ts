import type { KeyRing } from "./auth/root-keys.ts";
import type { ConfigDeps } from "./config.ts";
import { databaseUrl, type Env, readFileText, rootKeys, withoutEmpty } from "./config-values.ts";

/** What `keyturn migrate` needs: the database, with its owner's login, and nothing else that a server keeps secret. */
export function readDatabaseUrl(
  env: Env,
): { readonly databaseUrl: string } | { readonly mistakes: readonly string[] } {
  const parsed = databaseUrl.safeParse(withoutEmpty(env)["DATABASE_URL"], {
    error: () => "must name the database, with the login of its owner",
  });
  if (parsed.success) return { databaseUrl: parsed.data };
  return { mistakes: parsed.error.issues.map(({ message }) => `DATABASE_URL ${message}`) };
}

/** What `keyturn keys` needs besides the database: the root keys, and nothing else that a server keeps secret. */
export function readRootKeys(
  env: Env,
  { readFile }: Pick<ConfigDeps, "readFile">,
): { readonly rootKeys: KeyRing } | { readonly mistakes: readonly string[] } {
  const { name, text, problem } = readFileText(withoutEmpty(env), "KEYTURN_ROOT_KEY", readFile);
  if (problem !== undefined) return { mistakes: [problem] };
  const parsed = rootKeys.safeParse(text, { error: () => "or KEYTURN_ROOT_KEY_FILE is required" });
  if (parsed.success) return { rootKeys: parsed.data };
  return { mistakes: parsed.error.issues.map(({ message }) => `${name} ${message}`) };
}
