import { z } from "zod";
import { accessTokenVariables, callerVariables, certificateVariables } from "./config-callers.ts";
import { credentialVariables, secretVariables } from "./config-credentials.ts";
import { doorVariables } from "./config-doors.ts";
import { tlsVariables } from "./config-tls.ts";
import { tracingVariables } from "./config-tracing.ts";
import { databaseUrl, MISSING, required, whole } from "./config-values.ts";
import { variable } from "./config-variable.ts";
import { webhookVariables } from "./config-webhook.ts";

const storageVariables = (production: boolean) => ({
  DATABASE_URL: variable(required(production, z.string({ error: MISSING }).pipe(databaseUrl)), {
    meaning: "the servers' login; several hosts with `?target_session_attrs=read-write`",
    form: "`postgres://` URL",
    standard: "embedded PostgreSQL",
    sensitive: true,
  }),
  KEYTURN_DATABASE_CONNECTIONS_MAX: variable(whole(1, 200, 10), { meaning: "connections of one server" }),
  KEYTURN_DATA_DIR: variable(z.string().default(".keyturn"), {
    meaning: "development only: embedded database, root key, issuer",
    form: "folder",
  }),
});

const LOG_LEVELS = ["fatal", "error", "warn", "info", "debug", "trace", "silent"] as const;

const logVariables = () => ({
  LOG_LEVEL: variable(z.enum(LOG_LEVELS, "must be a level such as info or debug").default("info"), {
    meaning: "least level that is logged",
    form: "word",
    bounds: LOG_LEVELS.map((level) => `\`${level}\``).join(", "),
  }),
});

/** Every variable, in the groups of docs/configuration.md. What is required in production may be absent elsewhere. */
export const variablesOf = (production: boolean, cores: number) => ({
  storage: storageVariables(production),
  doors: { ...doorVariables(production), ...tlsVariables() },
  callers: { ...callerVariables(production), ...certificateVariables() },
  accessTokens: accessTokenVariables(production),
  secrets: secretVariables(production, cores),
  credentials: credentialVariables(),
  webhook: webhookVariables(),
  log: logVariables(),
  tracing: tracingVariables(),
});

/** Every variable: its form, its bounds, its default. */
export function schemaOf(production: boolean, cores: number) {
  const { storage, doors, callers, accessTokens, secrets, credentials, webhook, log, tracing } = variablesOf(
    production,
    cores,
  );
  return z.object({
    ...storage,
    ...doors,
    ...callers,
    ...accessTokens,
    ...secrets,
    ...credentials,
    ...webhook,
    ...log,
    ...tracing,
  });
}

/** The variables as they were read: numbers, lists and keys instead of texts. */
export type Settings = z.output<ReturnType<typeof schemaOf>>;
