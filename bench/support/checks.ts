/** Secrets to be checked, and the ways to have them checked. */
import { create, toBinary } from "@bufbuild/protobuf";
import { VerifyCredentialRequestSchema } from "../../gen/keyturn/v1/verification_service_pb.ts";
import type { Bench, BenchServer } from "./bench.ts";
import { runGrpcLoad } from "./grpc-load.ts";
import { postRequest, runHttpLoad } from "./http-load.ts";
import type { KeyVerifier } from "./peers.ts";
import { callRest, issue } from "./rest.ts";
import type { Contender } from "./turns.ts";

export const CREDENTIALS = 100;
export const ORGANIZATION = "bench";
export const ACCOUNT = "sa-bench";
const HTTP_CONNECTIONS = 16;

export interface Checked {
  /** Of an administrator and verifier. */
  readonly token: string;
  readonly secrets: readonly string[];
}

/** One process and two workers on one database, and secrets that both check. */
export async function givenOneAndTwo(
  bench: Bench,
): Promise<{ readonly one: BenchServer; readonly two: BenchServer; readonly checked: Checked }> {
  const database = await bench.database();
  const one = await bench.serve(database);
  const two = await bench.serve(database, { KEYTURN_WORKERS: "2" });
  return { one, two, checked: await givenSecrets(bench, one) };
}

/** A service account with as many secrets as are checked in turn. */
export async function givenSecrets(bench: Bench, server: BenchServer, count = CREDENTIALS): Promise<Checked> {
  const token = await bench.token(ORGANIZATION);
  const account = { id: ACCOUNT, displayName: "Bench", roles: ["a", "b"] };
  await callRest(server, token, ["POST", "/service-accounts"], account);
  const secrets: string[] = [];
  while (secrets.length < count) secrets.push((await issue(server, token, ACCOUNT)).clientSecret);
  return { token, secrets };
}

export const verifyMessage = (clientSecret: string): Buffer =>
  Buffer.from(
    toBinary(VerifyCredentialRequestSchema, create(VerifyCredentialRequestSchema, { clientSecret })),
  );

export const VERIFY = "/keyturn.v1.VerificationService/VerifyCredential";

/** The answer is a principal, which is its field 1, and no refusal. */
export const isPrincipal = (message: Buffer): boolean => message[0] === 0x0a;

/** VerifyCredential over gRPC, or what stands in its place at that address. */
export function verifyOverGrpc(
  name: string,
  serverPid: number,
  address: string,
  { secrets, token }: Checked,
  { connections, callers }: { readonly connections: number; readonly callers: number } = {
    connections: 4,
    callers: 64,
  },
): Contender {
  const messages = secrets.map(verifyMessage);
  const load = { address, path: VERIFY, messages, token, isWanted: isPrincipal, connections, callers };
  const coldAnswers = secrets.length * connections;
  return { name, serverPid, coldAnswers, run: (durationMs) => runGrpcLoad(load, durationMs) };
}

/** Requests over HTTP/1.1, each connection all of them in turn. */
export function overHttp(
  name: string,
  serverPid: number,
  url: string,
  requests: readonly Buffer[],
): Contender {
  const load = { url, requests, connections: HTTP_CONNECTIONS };
  const coldAnswers = requests.length * HTTP_CONNECTIONS;
  return { name, serverPid, coldAnswers, run: (durationMs) => runHttpLoad(load, durationMs) };
}

/** VerifyCredential over HTTP/1.1 as JSON. */
export function verifyOverHttp(name: string, server: BenchServer, { secrets, token }: Checked): Contender {
  const url = `http://${server.http}`;
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const requests = secrets.map((clientSecret) =>
    postRequest(url, VERIFY, headers, JSON.stringify({ clientSecret })),
  );
  return overHttp(name, server.pid, url, requests);
}

export function verifyByBetterAuth(peer: KeyVerifier): Contender {
  const headers = { "content-type": "application/json" };
  const requests = peer.keys.map((key) => postRequest(peer.url, "/verify", headers, JSON.stringify({ key })));
  return overHttp("better-auth verify", peer.pid, peer.url, requests);
}
