import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { rest } from "../../test/support/clients.ts";
import { eventually } from "../../test/support/eventually.ts";
import { ROOT_KEY } from "../../test/support/keyturn.ts";
import type { ServerProcess } from "../../test/support/process.ts";
import { fieldsOf, postToken } from "../../test/support/token-endpoint.ts";
import type { Broken, Drill } from "../support/drill.ts";
import { drainFaults, fleetUnderLoad } from "../support/fleet.ts";
import type { Scene } from "../support/under-load.ts";
import type { World } from "../support/world.ts";

const REPLICAS = 2;

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
      await promisify(execFile)(process.execPath, ["bin/keyturn.mjs", "keys", "rotate"], {
        cwd: run.root,
        env: {
          ...world.environment(),
          ...env,
          NODE_ENV: "production",
          KEYTURN_TOKEN_ISSUER: "https://keyturn.example",
        },
      });
      tokens.push(...(await mintEverywhere(scene, servers())));
      // The new key is published within half a minute, and signs long after.
      if (!run.quick) await eventually(async () => (await published(servers())).every((keys) => keys > 1));
      tokens.push(...(await mintEverywhere(scene, servers())));
      const broken = await refusedTokens(tokens, servers());
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
  const answer = await rpc.call(createCredential, { serviceAccountId }, { token: bearer, timeoutMs: 10_000 });
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

/** How many keys each server publishes. */
async function published(servers: readonly ServerProcess[]): Promise<number[]> {
  return Promise.all(
    servers.map(async (server) => {
      const { body } = await rest(httpOf(server), "/.well-known/jwks.json");
      return Array.isArray(body?.["keys"]) ? body["keys"].length : 0;
    }),
  );
}
