import { randomUUID } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { eventually } from "../../test/support/eventually.ts";
import { type PostgresProxy, startPostgresProxy } from "../../test/support/postgres-proxy.ts";
import { isInDoubt } from "../support/books.ts";
import type { Broken, Drill } from "../support/drill.ts";
import { type Scene, underLoad } from "../support/under-load.ts";
import type { World } from "../support/world.ts";

const ROUNDS = { quick: 1, full: 10 };
const TROUBLE_MS = 500;
const TRIES_MAX = 5;
/** Short: whoever sits on a dead connection waits for nothing else. */
const DEADLINE_MS = 2_000;
const { createCredential } = CredentialService.method;

/** What becomes of connections whose answers are swallowed from a certain moment on. */
const WAYS: Readonly<Record<string, (proxy: PostgresProxy) => void>> = {
  cut: (proxy) => proxy.cut(),
  reset: (proxy) => proxy.reset(),
  "half open": (proxy) => proxy.halfOpen(),
  "a black hole": (proxy) => proxy.mode("hole"),
};

export const drill: Drill = {
  title:
    "the reply of the function call is lost on the way, and the way is cut, reset, half open, a hole or slow",
  invariants: ["kept", "explained", "gone", "audited", "truthful", "heard", "recovers", "released"],
  bugs: [
    {
      name: "a lost answer that is told as one which changed nothing",
      breaks: "explained",
      file: "src/storage/failure.ts",
      from: "inDoubt: true, cause: err",
      to: "cause: err",
    },
    {
      name: "a repetition under the same key that is done again",
      breaks: "explained",
      file: "src/service/create-credential.ts",
      from: "issue(deps, ctx, { ...req, request }",
      to: "issue(deps, ctx, { ...req, request, idempotencyKey: undefined }",
    },
  ],
  async run(run) {
    let proxy: PostgresProxy | undefined;
    const beside = async (world: World) => {
      proxy = await startPostgresProxy(world.cluster.serverUrl);
      world.later(proxy.stop);
      return { DATABASE_URL: proxy.url };
    };
    return underLoad(run, { beside, timeoutMs: DEADLINE_MS, workers: 4 }, async (scene) => {
      if (proxy === undefined) throw new Error("there is no proxy");
      const broken: Broken[] = [];
      let lost = 0;
      const rounds = run.quick ? ROUNDS.quick : ROUNDS.full;
      for (let round = 0; round < rounds; round += 1) {
        for (const [name, harm] of Object.entries(WAYS)) {
          let found: Broken[] | undefined;
          for (let tries = 0; tries < TRIES_MAX && found === undefined; tries += 1)
            found = await loseOne(scene, proxy, name, harm);
          if (found !== undefined) lost += 1;
          broken.push(...(found ?? []));
        }
        proxy.mode("slow");
        await delay(3 * TROUBLE_MS);
        proxy.mode("pass");
        await scene.recovered();
      }
      const did = `${rounds} times each of ${Object.keys(WAYS).join(", ")}; half a second slower`;
      return { did, broken, figures: `${lost} creates committed and repeated` };
    });
  },
};

/**
 * One create is committed and its answer lost; then it is repeated, as a client does who does not know. Undefined where it
 * was not committed: the load had the connections that are open.
 */
async function loseOne(
  { world, rpc, recovered }: Scene,
  proxy: PostgresProxy,
  name: string,
  harm: (proxy: PostgresProxy) => void,
): Promise<Broken[] | undefined> {
  const [serviceAccountId = ""] = await world.accounts(1);
  const token = await world.token();
  const request = { serviceAccountId, requestId: randomUUID() };
  const count = async () => {
    const rows =
      await world.sql`select from keyturn.credentials where service_account_id = ${serviceAccountId}`;
    return rows.length;
  };
  proxy.mode("drop_answers");
  const lost = rpc.call(createCredential, request, { token, timeoutMs: DEADLINE_MS });
  const isThere = await Promise.race([
    eventually(async () => (await count()) > 0),
    // It may have come to a connection that was waiting for an earlier answer.
    lost.then(() => false),
  ]);
  harm(proxy);
  const heard = await lost;
  await delay(TROUBLE_MS);
  proxy.mode("pass");
  await recovered();
  if (!isThere) return undefined;
  const broken: Broken[] = [];
  if ("ok" in heard)
    return [{ invariant: "truthful", sentence: `${name}: an answer came although it was lost` }];
  if (!isInDoubt(heard.failure))
    broken.push({ invariant: "explained", sentence: `${name}: there, and told as ${heard.failure.reason}` });
  const again = await eventually(async () => {
    const answer = await rpc.call(createCredential, request, { token });
    return "ok" in answer ? answer.ok : undefined;
  });
  const rows = await count();
  if (rows !== 1)
    broken.push({ invariant: "explained", sentence: `${name}: ${rows} credentials after it was repeated` });
  if (again.clientSecret === "")
    broken.push({ invariant: "kept", sentence: `${name}: the repetition was not shown the secret` });
  return broken;
}
