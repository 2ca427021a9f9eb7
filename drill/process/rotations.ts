import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { promisify } from "node:util";
import { decodeProtectedHeader } from "jose";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { rest } from "../../test/support/clients.ts";
import { ROOT_KEY } from "../../test/support/keyturn.ts";
import type { ServerProcess } from "../../test/support/process.ts";
import { fieldsOf, postToken } from "../../test/support/token-endpoint.ts";
import type { Broken, Drill } from "../support/drill.ts";
import { drainFaults, fleetUnderLoad } from "../support/fleet.ts";
import type { Scene } from "../support/under-load.ts";
import type { World } from "../support/world.ts";

const REPLICAS = 2;
const TRIES = 5;
/** Servers look for keys every half minute. */
const SUCCEEDS_WITHIN_MS = 120_000;

export const drill: Drill = {
  title: "root key, signing key and the password of the database are replaced",
  invariants: ["kept", "explained", "gone", "audited", "truthful", "heard", "drains"],
  bugs: [
    {
      name: "secrets that only the newest root key recognizes",
      breaks: "truthful",
      file: "src/secret-checks.ts",
      from: "tagKeys: keys.secretTag,",
      to: "tagKeys: keys.secretTag.slice(0, 1),",
    },
    {
      name: "signing keys that only the newest root key opens",
      breaks: "truthful",
      file: "src/compose.ts",
      from: "sealingKeys: keys.signingKey,",
      to: "sealingKeys: keys.signingKey.slice(0, 1),",
    },
  ],
  skip: () => (process.platform === "win32" ? "needs the signals of POSIX" : undefined),
  async run(run) {
    return fleetUnderLoad(run, REPLICAS, async ({ restart, servers }, scene) => {
      const { world, load } = scene;
      const ends: (number | NodeJS.Signals)[] = [];
      let env: Record<string, string> = {};
      const restartAll = async (more: Readonly<Record<string, string>>) => {
        env = { ...env, ...more };
        for (let index = 0; index < REPLICAS; index += 1) ends.push(await restart(index, env));
      };
      const tokens = await mintEverywhere(scene, servers());
      const next = randomBytes(32).toString("base64");
      // First every server recognizes what the new one makes, then it makes it.
      await restartAll({ KEYTURN_ROOT_KEY: `${ROOT_KEY},${next}` });
      const databaseUrl = await nextLogin(world);
      await restartAll({ KEYTURN_ROOT_KEY: `${next},${ROOT_KEY}`, DATABASE_URL: databaseUrl });
      await world.sql.unsafe(`alter role ${new URL(world.cluster.serverUrl).username} nologin`);
      const rotate = (...options: string[]) =>
        promisify(execFile)(process.execPath, ["bin/keyturn.mjs", "keys", "rotate", ...options], {
          cwd: run.root,
          env: {
            ...world.environment(),
            ...env,
            NODE_ENV: "production",
            KEYTURN_TOKEN_ISSUER: "https://keyturn.example",
          },
        });
      await rotate();
      tokens.push(...(await mintEverywhere(scene, servers())));
      const broken: Broken[] = [];
      if (!run.quick) {
        // By itself it would sign ten minutes later.
        await rotate("--now");
        const bySuccessor = await mintBySuccessor(scene, servers(), keyOf(tokens[0]?.text));
        if (bySuccessor.length === 0)
          broken.push({ invariant: "truthful", sentence: "the new key does not come to sign" });
        tokens.push(...bySuccessor);
      }
      broken.push(...(await refusedTokens(tokens, servers())));
      // By the new login, as the old one is shut.
      if ((await load.recovery()) === Number.POSITIVE_INFINITY)
        broken.push({ invariant: "truthful", sentence: "no create is acknowledged after all of it" });
      broken.push(...(await drainFaults(load, ends)));
      return {
        did: `root key, signing key and password, by ${ends.length} restarts`,
        broken,
        figures: `${tokens.length} access tokens checked at each server`,
      };
    });
  },
};

/** Two passwords hold at a time by two logins. */
async function nextLogin({ sql, cluster }: World): Promise<string> {
  const url = new URL(cluster.serverUrl);
  [url.username, url.password] = [`${url.username}_next`, randomBytes(24).toString("base64url")];
  await sql.unsafe(`create role ${url.username} login password '${url.password}' in role keyturn_app`);
  return url.href;
}

const httpOf = ({ addresses }: ServerProcess) => ({ httpUrl: `http://${addresses.http}` });

/** An access token of each server, for a credential that it has just made. */
async function mintEverywhere(
  { world, rpc }: Scene,
  servers: readonly ServerProcess[],
): Promise<{ readonly text: string; readonly bearer: string }[]> {
  const bearer = await world.token();
  const [serviceAccountId = ""] = await world.accounts(1);
  const { createCredential } = CredentialService.method;
  const ask = () => rpc.call(createCredential, { serviceAccountId }, { token: bearer, timeoutMs: 10_000 });
  let answer = await ask();
  for (let tries = 1; tries < TRIES && "failure" in answer; tries += 1) answer = await ask();
  if ("failure" in answer) throw new Error(`no credential was made: ${answer.failure.reason}`);
  const clientId = `${serviceAccountId}@${world.organizationId}.iam`;
  const form = fieldsOf({ clientId, secret: answer.ok.clientSecret });
  const minted = [];
  for (const server of servers) {
    const { status, body, text } = await postToken(httpOf(server), { form });
    minted.push({ text: status === 200 ? String(body?.access_token) : text, bearer });
  }
  return minted;
}

/** Which of these tokens are not active everywhere. */
async function refusedTokens(
  tokens: readonly { readonly text: string; readonly bearer: string }[],
  servers: readonly ServerProcess[],
): Promise<Broken[]> {
  const broken: Broken[] = [];
  for (const [index, { text, bearer }] of tokens.entries())
    for (const [at, server] of servers.entries()) {
      const { body } = await rest(httpOf(server), "/v1/regions/global/auth/introspect", {
        method: "POST",
        token: bearer,
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ token: text }),
      });
      if (body?.active !== true)
        broken.push({ invariant: "truthful", sentence: `token ${index} is not active at server ${at}` });
    }
  return broken;
}

/** Tokens of each server that another key has signed; none where that does not come to pass. */
async function mintBySuccessor(
  scene: Scene,
  servers: readonly ServerProcess[],
  old: string | undefined,
): Promise<Awaited<ReturnType<typeof mintEverywhere>>> {
  for (const until = performance.now() + SUCCEEDS_WITHIN_MS; performance.now() < until; await delay(2_000)) {
    const minted = await mintEverywhere(scene, servers);
    if (minted.every(({ text }) => keyOf(text) !== old)) return minted;
  }
  return [];
}

/** The key that a token names; undefined where it is none. */
function keyOf(token = ""): string | undefined {
  try {
    return decodeProtectedHeader(token).kid;
  } catch {
    return undefined;
  }
}
