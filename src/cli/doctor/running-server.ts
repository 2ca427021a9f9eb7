import { get as getInClear } from "node:http";
import { get as getByTls } from "node:https";
import { text as readAll } from "node:stream/consumers";
import type { Settings } from "../../config-schema.ts";
import { type Finding, ok, wrong } from "./finding.ts";

const ASK_MS = 2_000;

interface Answer {
  readonly status: number;
  readonly text: string;
}

/** Whether a server of ours has these doors already, and what it says of itself. Undefined: nothing of the kind answers. */
export async function runningServer(
  admin: { readonly host: string; readonly port: number },
  settings: Partial<Settings>,
): Promise<Finding[] | undefined> {
  if (admin.port === 0) return undefined;
  const host = admin.host.replace(/^(0\.0\.0\.0|\*)$/, "127.0.0.1").replace(/^(::|\[::\])$/, "::1");
  const hasTls = settings.KEYTURN_ADMIN_CERT_FILE !== undefined;
  const where = host.includes(":")
    ? `[${host.replace(/^\[|\]$/g, "")}]:${admin.port}`
    : `${host}:${admin.port}`;
  try {
    const { status, text } = await ask(`${hasTls ? "https" : "http"}://${where}/readyz`);
    if (status === 200) return [ok("doors", where, "a server runs there and is ready")];
    if (status !== 503) return undefined;
    return [wrong("server_unready", where, `a server runs there and is not ready: ${text}`, "see its log")];
  } catch (err) {
    if (!isWithoutCertificate(err)) return undefined;
    const what = "a server runs there, which tells only those who show a certificate whether it is ready";
    return [ok("doors", where, what)];
  }
}

/** Whatever certificate is shown will do: nothing is sent that could be kept, and what it is worth is told by its file. */
function ask(url: string): Promise<Answer> {
  const options = { agent: false, signal: AbortSignal.timeout(ASK_MS) };
  return new Promise((resolve, reject) => {
    const req = url.startsWith("https:")
      ? getByTls(url, { ...options, rejectUnauthorized: false })
      : getInClear(url, options);
    req.on("error", reject);
    req.on("response", (res) => {
      readAll(res).then(
        (text) =>
          resolve({
            status: res.statusCode ?? 0,
            text: text.trim().slice(0, 200).replaceAll("\n", ", "),
          }),
        reject,
      );
    });
  });
}

/** The alert of a server that asks for a certificate (RFC 8446, 6.2), by OpenSSL's name for it. */
const isWithoutCertificate = (err: unknown): boolean =>
  (err as NodeJS.ErrnoException).code === "ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED";
