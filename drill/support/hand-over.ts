import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { rest } from "../../test/support/clients.ts";
import type { ServerProcess } from "../../test/support/process.ts";
import { fieldsOf, postToken } from "../../test/support/token-endpoint.ts";
import type { Broken } from "./drill.ts";
import { type Answer, openRpc } from "./rpc.ts";
import type { World } from "./world.ts";

/** A server, and what to call its release in a sentence. */
export interface Side {
  readonly release: string;
  readonly server: ServerProcess;
}

const { createCredential, rotateCredential, deleteCredential } = CredentialService.method;
const { verifyCredential } = VerificationService.method;
const INTROSPECT = "/v1/regions/global/auth/introspect";
const GRACE = { seconds: 600n, nanos: 0 };

/** What one server makes is used, repeated, replaced and ended at another one, which has to know all of it. */
export async function handOver(world: World, from: Side, to: Side): Promise<Broken[]> {
  const [account = ""] = await world.accounts(1);
  const clientId = `${account}@${world.organizationId}.iam`;
  const here = { rpc: openRpc(from.server.addresses.grpc), http: httpOf(from) };
  const there = { rpc: openRpc(to.server.addresses.grpc), http: httpOf(to) };
  const token = await world.token();
  const broken: Broken[] = [];
  const broke = (sentence: string, invariant: Broken["invariant"] = "exchangeable") =>
    void broken.push({ invariant, sentence: `made by the ${from.release} release: ${sentence}` });
  const verifies = async ({ rpc }: typeof here, clientSecret: string) => {
    const { result } = await patient(() => rpc.call(verifyCredential, { clientSecret }, { token }));
    return result.case === "principal";
  };
  const named = { serviceAccountId: account, requestId: randomUUID() };
  try {
    const made = await patient(() => here.rpc.call(createCredential, named, { token }));
    // First of all: once it was used, a secret is repeated to nobody.
    const again = await patient(() => there.rpc.call(createCredential, named, { token }));
    if (again.id !== made.id)
      broke(`a create that is repeated at the ${to.release} one is another`, "explained");
    else if (again.clientSecret !== made.clientSecret) broke("the repetition of a create has another secret");
    if (!(await verifies(there, made.clientSecret))) broke(`a secret is refused by the ${to.release} one`);

    const { body } = await postToken(here.http, { form: fieldsOf({ clientId, secret: made.clientSecret }) });
    const asked = { method: "POST", token, headers: { "content-type": "application/json" } };
    const introspected = await rest(there.http, INTROSPECT, {
      ...asked,
      body: JSON.stringify({ token: body?.access_token ?? "" }),
    });
    if (introspected.body?.active !== true) broke(`an access token is refused by the ${to.release} one`);

    const old = { serviceAccountId: account, id: made.id };
    const next = await patient(() =>
      there.rpc.call(rotateCredential, { ...old, gracePeriod: GRACE }, { token }),
    );
    if (!(await verifies(here, next.clientSecret)))
      broke(`what the ${to.release} one has rotated it to is refused`);
    await patient(() => there.rpc.call(deleteCredential, old, { token }));
    if (await verifies(here, made.clientSecret))
      broke(`what the ${to.release} one has deleted verifies`, "gone");
  } catch (err) {
    broke(err instanceof Error ? err.message : String(err));
  } finally {
    here.rpc.close();
    there.rpc.close();
  }
  return broken;
}

const httpOf = ({ server }: Side) => ({ httpUrl: `http://${server.addresses.http}` });

const TRIES = 20;
const PAUSE_MS = 250;

/** The answer of a call that is made again while the machine is too busy for it. */
async function patient<O extends DescMessage>(call: () => Promise<Answer<O>>): Promise<MessageShape<O>> {
  for (let tries = 1; ; tries += 1) {
    const answer = await call();
    if ("ok" in answer) return answer.ok;
    const { code, reason, message } = answer.failure;
    if (tries === TRIES || !TRANSIENT.has(reason ?? "")) throw new Error(`${code} ${reason}: ${message}`);
    await delay(PAUSE_MS);
  }
}

const TRANSIENT = new Set(["OVERLOADED", "DATABASE_UNAVAILABLE", "LOCK_TIMEOUT", "DEADLINE_EXCEEDED"]);
