import { randomUUID } from "node:crypto";
import { globSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { type RestAnswer, rest } from "../../test/support/clients.ts";
import type { ServerProcess } from "../../test/support/process.ts";
import { fieldsOf, postToken } from "../../test/support/token-endpoint.ts";
import { inParallel, within } from "./pace.ts";
import { openRpc } from "./rpc.ts";
import type { World } from "./world.ts";

/** What was handed out, and must be nowhere else. */
export interface Canaries {
  readonly secrets: string[];
  readonly tokens: string[];
  readonly requestIds: string[];
  /** Answers that issue nothing, with their headers. */
  readonly answers: string[];
}

const AUTH = "/v1/regions/global/auth";
const ACCOUNTS = "/v1/regions/global/iam/service-accounts";
const VERIFY = "/keyturn.v1.VerificationService/VerifyCredential";

/** Issues, uses, mistakes, misplaces and turns in so many secrets. */
export async function useEverything(world: World, server: ServerProcess, count: number): Promise<Canaries> {
  const http = { httpUrl: `http://${server.addresses.http}` };
  const rpc = openRpc(server.addresses.grpc);
  world.later(rpc.close);
  const accounts = await world.accounts(count);
  const canaries: Canaries = { secrets: [], tokens: [await world.token()], requestIds: [], answers: [] };
  const keep = ({ headers, text }: RestAnswer) =>
    void canaries.answers.push(JSON.stringify([...headers]), text);
  const post = async (path: string, token: string, body: object, headers = {}): Promise<RestAnswer> => {
    for (;;) {
      const answer = await rest(http, path, {
        method: "POST",
        token,
        headers: { "content-type": "application/json", ...headers },
        body: JSON.stringify(body),
      });
      // An overload, or a machine that others use too: as it is told, it comes again.
      if (answer.status !== 503 && answer.status !== 504) return answer;
      canaries.answers.push(answer.text);
      await delay(200);
    }
  };
  await inParallel(4, count, async (n) => {
    const account = accounts[n] as string;
    const token = await world.issuer.sign({
      claims: { tenant_id: world.organizationId, roles: ["admin", "verifier"], sub: `user-${n}` },
    });
    const [requestId, rotationId] = [randomUUID(), randomUUID()];
    const path = `${ACCOUNTS}/${account}/credentials`;
    const created = await post(path, token, {}, { "idempotency-key": requestId });
    const secret: string = created.body.clientSecret;
    await post(path, token, {}, { "idempotency-key": requestId });
    const rotate = `${path}/${created.body.id}:rotate`;
    const rotated = await post(rotate, token, { gracePeriod: "60s" }, { "idempotency-key": rotationId });
    const { createCredential } = CredentialService.method;
    const overGrpc = await rpc.call(createCredential, { serviceAccountId: account }, { token });
    canaries.tokens.push(token);
    canaries.requestIds.push(requestId, rotationId);
    canaries.secrets.push(secret, rotated.body.clientSecret);
    if ("ok" in overGrpc) canaries.secrets.push(overGrpc.ok.clientSecret);

    const clientId = `${account}@${world.organizationId}.iam`;
    const fields = fieldsOf({ clientId, secret });
    const minted = [
      await postToken(http, { form: fields }),
      await postToken(http, { json: fields }),
      await postToken(http, { basic: [clientId, secret], form: { grant_type: "client_credentials" } }),
    ].flatMap(({ body }) => body?.access_token ?? []);
    canaries.tokens.push(...minted);
    const wrong = secret.slice(0, -3);
    keep(await post(VERIFY, token, { clientSecret: secret, userAgent: "drill" }));
    keep(await post(VERIFY, token, { clientSecret: wrong }));
    keep(await post(VERIFY, token, { clientSecret: `${secret} `, nonsense: "x" }));
    keep(await post(VERIFY, `${token}x`, { clientSecret: secret }));
    keep(await postToken(http, { form: { ...fields, client_secret: wrong } }));
    keep(await postToken(http, { form: { ...fields, grant_type: secret } }));
    keep(await post(`${AUTH}/introspect`, token, { token: minted[0] ?? "x" }));
    keep(await rest(http, `${ACCOUNTS}/${secret}`, { token }));
    keep(await rest(http, path, { token }));
    keep(await post(path, token, { displayName: 7 }, { "idempotency-key": secret }));
    keep(await post(`${AUTH}/report-leak`, token, { clientSecret: rotated.body.clientSecret }));
  });
  return canaries;
}

const SNAPSHOT_MS_MAX = 120_000;
/** A snapshot that is still being written grows. */
const SETTLED_MS = 1_000;

/**
 * The texts that live in a server after a collection, by a snapshot that it writes into this folder on SIGUSR2. What is
 * ready to be issued has been seen by nobody, and is no canary.
 */
export async function heapOf({ pid }: ServerProcess, folder: string): Promise<string> {
  process.kill(pid, "SIGUSR2");
  const find = () => globSync(join(folder, "*.heapsnapshot"))[0];
  let [size, changedAt] = [0, performance.now()];
  await within(SNAPSHOT_MS_MAX, () => {
    const file = find();
    const now = file === undefined ? 0 : statSync(file).size;
    if (now !== size) changedAt = performance.now();
    size = now;
    return size > 0 && performance.now() - changedAt > SETTLED_MS;
  });
  const text = readFileSync(find() ?? "", "utf8");
  return text.slice(text.lastIndexOf('"strings":['));
}
