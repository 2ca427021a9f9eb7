/** Tokens for `client_credentials`, signed with ES256: ours, and those of others. */
import { decodeProtectedHeader } from "jose";
import type { BenchServer } from "./bench.ts";
import { ACCOUNT, type Checked, ORGANIZATION, overHttp } from "./checks.ts";
import { postRequest } from "./http-load.ts";
import type { Contender } from "./turns.ts";

export interface Client {
  readonly id: string;
  readonly secret: string;
}

/** Where tokens are minted, and for whom. */
export interface TokenEndpoint {
  readonly pid: number;
  /** Of the server, without a path. */
  readonly url: string;
  readonly path: string;
  readonly clients: readonly Client[];
}

export const ourTokens = (server: BenchServer, { secrets }: Checked): TokenEndpoint => ({
  pid: server.pid,
  url: `http://${server.http}`,
  path: "/oauth2/token",
  clients: secrets.map((secret) => ({ id: `${ACCOUNT}@${ORGANIZATION}.iam`, secret })),
});

const BODY = "grant_type=client_credentials";

const headersOf = ({ id, secret }: Client) => ({
  authorization: `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString("base64")}`,
  "content-type": "application/x-www-form-urlencoded",
});

/** @throws Error where the endpoint mints another kind of token: it would be compared with what costs more, or less */
export async function mintTokens(
  name: string,
  { pid, url, path, clients }: TokenEndpoint,
): Promise<Contender> {
  const [first] = clients;
  const { alg } = decodeProtectedHeader(await fetchToken(url, path, first as Client));
  if (alg !== "ES256") throw new Error(`${name}: signed with ${alg}`);
  const requests = clients.map((client) => postRequest(url, path, headersOf(client), BODY));
  return overHttp(name, pid, url, requests);
}

/** A token for one client. @throws Error with the answer when it is a refusal */
export async function fetchToken(url: string, path: string, client: Client): Promise<string> {
  const res = await fetch(new URL(path, url), { method: "POST", headers: headersOf(client), body: BODY });
  const text = await res.text();
  if (!res.ok) throw new Error(`${path}: ${res.status} ${text}`);
  return JSON.parse(text).access_token;
}
