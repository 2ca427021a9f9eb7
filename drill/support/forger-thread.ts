/** The thread of `startForgers`: floods a door with what is forged, one task at a time. */
import { randomBytes } from "node:crypto";
import { parentPort } from "node:worker_threads";
import { create, toBinary } from "@bufbuild/protobuf";
import { runGrpcLoad } from "../../bench/support/grpc-load.ts";
import {
  VerificationService,
  VerifyCredentialRequestSchema,
} from "../../gen/keyturn/v1/verification_service_pb.ts";
import { checksumOf } from "../../test/support/forgery.ts";
import type { ForgerTask, SecretsSent, TokensSent } from "./forgers.ts";
import { inParallel } from "./pace.ts";
import { openRpc } from "./rpc.ts";

const { verifyCredential } = VerificationService.method;
const BATCH_MS = 1_000;
const CALLERS = 16;

/** Each is made when it is sent, and no two are alike. */
const FRESH: readonly Buffer[] = new Proxy([], {
  get: (_, key) => (key === "length" ? Number.MAX_SAFE_INTEGER : forgedRequest()),
});

/** Shape and checksum are right, and the tag is not. */
function forgedRequest(): Buffer {
  const hex = randomBytes(40).toString("hex");
  const text = `plt_cs_cred-${hex.slice(0, 20)}_${hex.slice(20, 74)}`;
  const sourceIp = `10.${randomBytes(3).join(".")}`;
  const req = create(VerifyCredentialRequestSchema, { clientSecret: text + checksumOf(text), sourceIp });
  return Buffer.from(toBinary(VerifyCredentialRequestSchema, req));
}

async function sendSecrets(address: string, token: string): Promise<SecretsSent> {
  const { answers, failures } = await runGrpcLoad(
    {
      address,
      path: `/${VerificationService.typeName}/VerifyCredential`,
      messages: FRESH,
      token,
      connections: 2,
      callers: 2 * CALLERS,
    },
    BATCH_MS,
  );
  return { answers, failures };
}

async function sendTokens(address: string, tokens: readonly string[]): Promise<TokensSent> {
  const rpc = openRpc(address);
  const accepted: string[] = [];
  await inParallel(CALLERS, tokens.length, async (n) => {
    const token = tokens[n] as string;
    if ("ok" in (await rpc.call(verifyCredential, { clientSecret: "x" }, { token }))) accepted.push(token);
  });
  rpc.close();
  return { accepted };
}

parentPort?.on("message", async ({ address, ...task }: ForgerTask) => {
  parentPort?.postMessage(
    await ("token" in task ? sendSecrets(address, task.token) : sendTokens(address, task.tokens)),
  );
});
