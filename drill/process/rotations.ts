import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import { promisify } from "node:util";
import { ROOT_KEY } from "../../test/support/keyturn.ts";
import type { Drill } from "../support/drill.ts";
import { drainFaults, fleetUnderLoad } from "../support/fleet.ts";
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
  ],
  skip: () => (process.platform === "win32" ? "needs the signals of POSIX" : undefined),
  async run(run) {
    return fleetUnderLoad(run, REPLICAS, async ({ restart }, { world, load }) => {
      const ends: (number | NodeJS.Signals)[] = [];
      let env: Record<string, string> = {};
      const restartAll = async (more: Readonly<Record<string, string>>) => {
        env = { ...env, ...more };
        for (let index = 0; index < REPLICAS; index += 1) ends.push(await restart(index, env));
      };
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
      return {
        did: `root key, signing key and password, by ${ends.length} restarts`,
        broken: await drainFaults(load, ends),
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
