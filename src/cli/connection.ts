import { type Command, Option } from "commander";
import { type Channel, isBearerToken, openChannel } from "../client/channel.ts";
import { serviceAddress } from "./address.ts";
import { UsageError } from "./exit-code.ts";
import { secondsOf } from "./field-text.ts";
import type { Terminal } from "./terminal.ts";
import { readText, readTlsFiles } from "./tls-files.ts";

/** Where the service is and who calls, as the command line has it. */
export interface ConnectionOptions {
  readonly address?: string;
  readonly tokenFile?: string;
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly serverName?: string;
  readonly plaintext?: boolean;
  readonly timeout: number;
}

const ADDRESS = "127.0.0.1:50051";
const TIMEOUT_SECONDS = 10;

export function addConnectionOptions(command: Command): void {
  const options = [
    new Option("--address <address>", `host:port of the gRPC door; default: KEYTURN_ADDRESS, or ${ADDRESS}`),
    new Option("--token-file <file>", "file with the caller's bearer token; default: KEYTURN_ACCESS_TOKEN"),
    new Option("--ca-file <file>", "authorities to trust for TLS, as PEM; default: those of Node"),
    new Option("--cert-file <file>", "certificate of the caller, as PEM; it may stand for a token"),
    new Option("--key-file <file>", "its key, as PEM"),
    new Option("--server-name <name>", "name in the server's certificate, where it is not the address's"),
    new Option("--plaintext", "no TLS, though others may listen; to a loopback address there is none anyway"),
    new Option("--timeout <duration>", "how long a call may take, its retries included, such as 30s")
      .argParser(secondsOf)
      .default(TIMEOUT_SECONDS, `${TIMEOUT_SECONDS}s`),
  ];
  for (const option of options) command.addOption(option.helpGroup("Connection:"));
}

/** Opens nothing yet. @throws UsageError when a file cannot be read or options do not go together. */
export function openConnection(terminal: Terminal, options: ConnectionOptions, isAnonymous = false): Channel {
  const { caFile, certFile, keyFile, serverName, timeout } = options;
  const address = serviceAddress(options.address || terminal.env["KEYTURN_ADDRESS"] || ADDRESS);
  const hasTls = [caFile, certFile, keyFile, serverName].some((option) => option !== undefined);
  if (hasTls && options.plaintext)
    throw new UsageError("--plaintext and the files of TLS exclude each other");
  const tls = { ...readTlsFiles(options), ...(serverName === undefined ? {} : { serverName }) };
  const token = isAnonymous ? undefined : bearerToken(terminal, options);
  try {
    return openChannel({
      address,
      ...(token === undefined ? {} : { token }),
      timeoutMs: timeout * 1000,
      ...(options.plaintext ? { plaintext: true } : {}),
      ...(hasTls ? { tls } : {}),
    });
  } catch (err) {
    throw new UsageError(err instanceof Error ? err.message : "the connection cannot be made");
  }
}

/** Undefined where the certificate says who calls: a token that is sent as well goes before it. */
function bearerToken({ env }: Terminal, { tokenFile, certFile }: ConnectionOptions): string | undefined {
  const token = (tokenFile === undefined ? env["KEYTURN_ACCESS_TOKEN"] : readText(tokenFile))?.trim();
  if (!token && tokenFile === undefined && certFile !== undefined) return undefined;
  if (!token) throw new UsageError("set KEYTURN_ACCESS_TOKEN, --token-file or --cert-file: who calls?");
  if (!isBearerToken(token))
    throw new UsageError(`${tokenFile ?? "KEYTURN_ACCESS_TOKEN"} holds a character that no token has`);
  return token;
}
