/**
 * A service that keeps its secret in a file, takes access tokens for it, and replaces it while it runs:
 *
 *     KEYTURN_ADDRESS=127.0.0.1:50051 KEYTURN_ACCESS_TOKEN=... CLIENT_ID=sa-pipeline-prod@acme.iam \
 *       SECRET_FILE=secret STATE_FILE=rotation.json node examples/rotate-own-secret.ts
 *
 * The bearer token is an administrator's and verifier's. Should it be stopped half way, it goes on there the next time.
 */
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { connectKeyturn, type RotationState } from "keyturn/client";

const setting = (name: string): string => {
  const value = process.env[name];
  if (!value) throw new Error(`set ${name}`);
  return value;
};
const say = (line: string) => process.stdout.write(`${line}\n`);

const clientId = setting("CLIENT_ID");
const secretFile = setting("SECRET_FILE");
const stateFile = setting("STATE_FILE");
const readSecret = async () => (await readFile(secretFile, "utf8")).trim();

/** All or nothing, also when the machine stops: whoever reads it gets the old one or the new one. */
async function replaceFile(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text, { mode: 0o600, flush: true });
  await rename(`${file}.new`, file);
}

async function readState(): Promise<{ credentialId: string; resume: RotationState } | undefined> {
  const text = await readFile(stateFile, "utf8").catch(() => undefined);
  return text === undefined ? undefined : JSON.parse(text);
}

const keyturn = connectKeyturn({
  address: setting("KEYTURN_ADDRESS"),
  token: setting("KEYTURN_ACCESS_TOKEN"),
});
const tokens = keyturn.tokenSource({ clientId, clientSecret: readSecret });
const stop = new AbortController();
process.once("SIGINT", () => stop.abort(new Error("interrupted: start again to go on")));

try {
  const token = await tokens.token();
  say(`has a token of ${token.length} characters`);

  const kept = await readState();
  const current = await keyturn.verify(await readSecret());
  if (current === undefined) throw new Error("the secret in the file does not hold");
  say(`uses ${current.credentialId} of ${current.serviceAccountId}`);

  const credentialId = kept?.credentialId ?? current.credentialId;
  const next = await keyturn.rotate({
    serviceAccountId: current.serviceAccountId,
    credentialId,
    gracePeriodSeconds: 3600,
    // This is the only place where it is used: nobody else needs a while to find the new one.
    quietMs: 0,
    pollMs: 250,
    signal: stop.signal,
    ...(kept === undefined ? {} : { resume: kept.resume }),
    save: (resume) => replaceFile(stateFile, JSON.stringify({ credentialId, resume })),
    deploy: async (secret) => {
      await replaceFile(secretFile, `${secret}\n`);
      // The token of the old secret would do for a while; taking one for the new secret is its first use.
      tokens.invalidate(token);
      await tokens.token();
    },
    onProgress: say,
  });
  await rm(stateFile, { force: true });
  say(`uses ${next} from now on`);
} finally {
  keyturn.close();
}
