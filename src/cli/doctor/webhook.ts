import { connect as connectInClear, isIP, type Socket } from "node:net";
import { connect as connectByTls } from "node:tls";
import type { Settings } from "../../config-schema.ts";
import { type Finding, ok, warning, wrong } from "./finding.ts";
import { privateFileFindings } from "./private-file.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** The URL is told to nobody: whoever knows it may be all that a receiver asks. */
const WHERE = "KEYTURN_WEBHOOK_URL";
const ASK_MS = 5_000;

/** Who else could have the secrets with which events are signed. */
export function examineWebhookSecrets(env: Env): Finding[] {
  const file = env["KEYTURN_WEBHOOK_SECRETS_FILE"];
  return file ? privateFileFindings("webhook_secrets", "KEYTURN_WEBHOOK_SECRETS_FILE", file) : [];
}

/** Opens a connection to the webhook, by TLS where servers do so, and sends nothing. */
export async function examineWebhook(
  { KEYTURN_WEBHOOK_URL: url }: Pick<Partial<Settings>, "KEYTURN_WEBHOOK_URL">,
  env: Env,
  askMs = ASK_MS,
): Promise<Finding[]> {
  if (url === undefined) return [];
  if (isProxied(env)) return [PROXIED];
  const problem = await problemOf(url, askMs);
  const isTls = url.protocol === "https:";
  return [
    problem === undefined
      ? ok("webhook", WHERE, isTls ? "can be reached, and its certificate is trusted" : "can be reached")
      : judge(problem),
  ];
}

/** Node's own switch, without which it knows no proxies. */
const isProxied = (env: Env): boolean =>
  (env["NODE_USE_ENV_PROXY"] === "1" || /--use-env-proxy/.test(env["NODE_OPTIONS"] ?? "")) &&
  Boolean(env["HTTPS_PROXY"] || env["https_proxy"]);

const PROXIED = warning(
  "webhook_proxied",
  WHERE,
  "was not tried: a proxy stands in between (HTTPS_PROXY)",
  "see the log of the servers for `event not accepted by the webhook`, or curl it by that proxy",
);

/** The code of what keeps us from a connection, undefined when nothing does. */
function problemOf(url: URL, askMs: number): Promise<string | undefined> {
  const isTls = url.protocol === "https:";
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port) || (isTls ? 443 : 80);
  const { promise, resolve } = Promise.withResolvers<string | undefined>();
  const socket: Socket = isTls
    ? connectByTls({ host, port, ...(isIP(host) ? {} : { servername: host }) })
    : connectInClear({ host, port });
  socket.once(isTls ? "secureConnect" : "connect", () => resolve(undefined));
  socket.on("error", (err: NodeJS.ErrnoException) => resolve(err.code ?? "?"));
  socket.once("close", () => resolve("ECONNRESET"));
  const timer = setTimeout(() => resolve("TIMEOUT"), askMs);
  return promise.finally(() => {
    clearTimeout(timer);
    socket.destroy();
  });
}

function judge(code: string): Finding {
  const [check, what, todo] = wordsOf(code);
  return wrong(check, WHERE, `${what} (${code})`, todo);
}

function wordsOf(code: string): readonly [check: string, what: string, todo: string] {
  if (code === "ENOTFOUND" || code === "EAI_AGAIN")
    return ["webhook_host", "its host has no address here", "check the name of the host, and DNS"];
  if (/CERT|SIGNATURE|HOSTNAME/.test(code))
    return [
      "webhook_certificate",
      "its certificate is not trusted here",
      "have it renewed, or name its authority: NODE_EXTRA_CA_CERTS=FILE",
    ];
  if (/SSL|TLS|EPROTO/.test(code))
    return [
      "webhook_tls",
      "there is no TLS to be had with it",
      "check host and port: is it a port for https?",
    ];
  return [
    "webhook_unreachable",
    code === "TIMEOUT" ? "does not answer in time" : "cannot be reached from here",
    "check host, port and network: curl it from this machine",
  ];
}
