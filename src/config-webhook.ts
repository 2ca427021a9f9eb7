import { z } from "zod";
import { isLoopback } from "./auth/issuer-metadata.ts";
import { type Env, list } from "./config-values.ts";
import { variable } from "./config-variable.ts";
import { webhookKeyOf } from "./webhook/signature.ts";

/** Who is told of what happens. */
export interface Webhook {
  readonly url: URL;
  /** Every event is signed with each. */
  readonly keys: readonly Buffer[];
}

const webhookUrl = z
  .string()
  .refine(isWebhookUrl, "must be an https URL without user or fragment (http only for loopback)")
  .transform((text) => new URL(text));

const webhookKeys = list.transform((secrets, context): Buffer[] => {
  const keys = secrets.flatMap((secret) => webhookKeyOf(secret) ?? []);
  if (keys.length === secrets.length && keys.length <= SECRETS_MAX) return keys;
  context.addIssue(
    `must hold 1 to ${SECRETS_MAX} secrets: whsec_ and 24 to 64 bytes in base64, separated by commas`,
  );
  return z.NEVER;
});

const SECRETS_MAX = 4;

export const webhookVariables = () => ({
  KEYTURN_WEBHOOK_URL: variable(webhookUrl.optional(), {
    meaning: "where events are sent: `https:`, `http:` for loopback only; the same on every server",
    form: "URL",
    sensitive: true,
  }),
  KEYTURN_WEBHOOK_SECRETS: variable(webhookKeys.optional(), {
    meaning:
      "sign the events, one signature each, so that one can be replaced by another. Or `KEYTURN_WEBHOOK_SECRETS_FILE`, a file with that",
    form: "list of `whsec_…`",
    bounds: `up to ${SECRETS_MAX}, of 24–64 bytes each`,
    sensitive: true,
  }),
});

const VARIABLES = z.object(webhookVariables());

/** Apart from the rest, as lifetimeMistakes is. */
export function webhookMistakes(env: Env): string[] {
  const { data } = VARIABLES.safeParse(env);
  if (data === undefined) return [];
  const { KEYTURN_WEBHOOK_URL: url, KEYTURN_WEBHOOK_SECRETS: keys } = data;
  if ((url === undefined) === (keys === undefined)) return [];
  return ["KEYTURN_WEBHOOK_URL and KEYTURN_WEBHOOK_SECRETS go together"];
}

/** Undefined when nobody is to be told. */
export function webhookOf(settings: z.output<typeof VARIABLES>): Webhook | undefined {
  const { KEYTURN_WEBHOOK_URL: url, KEYTURN_WEBHOOK_SECRETS: keys } = settings;
  return url === undefined || keys === undefined
    ? undefined
    : Object.freeze({ url, keys: Object.freeze(keys) });
}

function isWebhookUrl(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || text.includes("#") || url.username !== "" || url.password !== "") return false;
  return url.protocol === "https:" || (url.protocol === "http:" && isLoopback(url));
}
