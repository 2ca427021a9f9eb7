import { readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { openRpc, type Rpc } from "./rpc.ts";
import type { World } from "./world.ts";

/** Who behaves: checks a secret that holds and lists accounts, one call after the other. */
export interface ValidCallers {
  /** What they have met since the last time that they were asked. */
  taken(): { readonly calls: number; readonly failures: readonly string[]; readonly p99Ms: number };
  /** How many calls they have made altogether. */
  answered(): number;
  stop(): Promise<void>;
}

const PAUSE_MS = 2;
/** A flood may be slow to pass where others use the machine as well. */
const PATIENCE_MS = 25_000;
const CALLERS = 4;

/** Issues a credential, and has it checked until they are stopped. */
export async function startValidCallers(
  world: World,
  grpcAddress: string,
  { secret = undefined as string | undefined, sourceIp = "" } = {},
): Promise<ValidCallers> {
  // As they are told to: an overload is tried again.
  const rpc = openRpc(grpcAddress, { "grpc.service_config": readFileSync("service_config.json", "utf8") });
  const clientSecret = secret ?? (await issue(world, rpc));
  let times: number[] = [];
  let failures: string[] = [];
  let [isStopping, answered] = [false, 0];
  const callers = Array.from({ length: CALLERS }, async (_, caller) => {
    while (!isStopping) {
      const since = performance.now();
      const failure = await (caller % 2 === 0
        ? check(world, rpc, { clientSecret, sourceIp })
        : list(world, rpc));
      times.push(performance.now() - since);
      answered += 1;
      if (failure !== undefined) failures.push(failure);
      await delay(PAUSE_MS);
    }
  });
  const stop = async () => {
    isStopping = true;
    await Promise.all(callers);
    rpc.close();
  };
  world.later(stop);
  return {
    taken() {
      const sorted = times.sort((a, b) => a - b);
      const result = {
        calls: sorted.length,
        failures,
        p99Ms: Math.round((sorted[Math.floor(sorted.length * 0.99)] ?? 0) * 10) / 10,
      };
      [times, failures] = [[], []];
      return result;
    },
    answered: () => answered,
    stop,
  };
}

/** A credential of an account of its own. */
export async function issue(world: World, rpc: Rpc): Promise<string> {
  const [serviceAccountId = ""] = await world.accounts(1);
  const token = await world.token();
  const answer = await rpc.call(CredentialService.method.createCredential, { serviceAccountId }, { token });
  if ("failure" in answer) throw new Error(`no credential was issued: ${answer.failure.reason}`);
  return answer.ok.clientSecret;
}

async function check(
  world: World,
  rpc: Rpc,
  req: { readonly clientSecret: string; readonly sourceIp: string },
): Promise<string | undefined> {
  const token = await world.token();
  const answer = await rpc.call(VerificationService.method.verifyCredential, req, {
    token,
    timeoutMs: PATIENCE_MS,
  });
  if ("failure" in answer) return answer.failure.reason ?? `code ${answer.failure.code}`;
  return answer.ok.result.case === "principal" ? undefined : "the right secret is refused";
}

async function list(world: World, rpc: Rpc): Promise<string | undefined> {
  const token = await world.token();
  const { listServiceAccounts } = ServiceAccountService.method;
  const answer = await rpc.call(listServiceAccounts, { pageSize: 1 }, { token, timeoutMs: PATIENCE_MS });
  return "failure" in answer ? (answer.failure.reason ?? `code ${answer.failure.code}`) : undefined;
}
