import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { type Behaviour, startIssuer, type TestIssuer } from "../../test/support/issuer.ts";
import type { Broken, Drill, Invariant } from "../support/drill.ts";
import { inParallel, within } from "../support/pace.ts";
import { openRpc, type Rpc } from "../support/rpc.ts";
import { givenWorld, type World } from "../support/world.ts";

const BAD: readonly Behaviour[] = ["status_500", "hang", "hang_in_body", "huge", "redirect", "not_json"];
const FLOOD = { quick: 2_000, full: 50_000 };
const FETCH_INTERVAL_MS = 30_000;
const RECOVERY_MS_MAX = 60_000;

const KEY_SET = "src/auth/remote-key-set.ts";

export const drill: Drill = {
  title: "issuers that are away, hang, talk nonsense or change their keys, and floods of unknown key ids",
  invariants: ["truthful", "recovers", "served", "bounded", "refused"],
  bugs: [
    {
      name: "an issuer that is away makes a token look forged",
      breaks: "truthful",
      file: "src/auth/verify-token.ts",
      from: "?.keyFor(keyId, signal);",
      to: "?.keyFor(keyId, signal).catch(() => undefined);",
    },
    {
      name: "an issuer that has failed is asked no more",
      breaks: "recovers",
      file: KEY_SET,
      from: "state.deps.now() < state.retryAtMs) return;",
      to: "state.failureCount > 0) return;",
    },
    {
      name: "the last good keys are dropped at the first failure",
      breaks: "served",
      file: KEY_SET,
      from: "ageMs(state) < USABLE_FOR_MS;",
      to: "ageMs(state) < USABLE_FOR_MS && state.failureCount === 0;",
    },
    {
      name: "each unknown key id is a fetch",
      breaks: "bounded",
      file: KEY_SET,
      from: "  if (now < state.unknownKeyRefreshAtMs) return;\n",
      to: "",
    },
    {
      name: "a token is remembered beyond the key that signed it",
      breaks: "refused",
      file: "src/auth/token-cache.ts",
      from: "    entries.clear();\n",
      to: "",
    },
  ],
  async run(run) {
    await using world = await givenWorld(run);
    const bad = await Promise.all(BAD.map(() => givenIssuer(world)));
    const misbehave = () => bad.forEach((issuer, index) => void issuer.behave(BAD[index] as Behaviour));
    misbehave();
    const urls = [world.issuer, ...bad].map(({ url }) => url).join(",");
    const server = await world.serve({ KEYTURN_OIDC_ISSUER: urls });
    const rpc = openRpc(server.addresses.grpc);
    world.later(rpc.close);
    const broken: Broken[] = [];
    const say = (invariant: Invariant, sentence: string) => void broken.push({ invariant, sentence });
    const ask = (token: string) => heard(rpc, token);
    const each = (check: (issuer: TestIssuer, name: string) => Promise<void>) =>
      Promise.all(bad.map((issuer, index) => check(issuer, BAD[index] as string)));

    // Away from the start: nobody's token is called forged, and other issuers go on.
    const served = await ask(await world.token());
    if (served !== "ok") say("served", `the good issuer beside the bad ones: ${served}`);
    await each(async (issuer, name) => {
      const told = await ask(await tokenOf(world, issuer));
      if (told !== "KEY_SET_UNAVAILABLE with RetryInfo") say("truthful", `${name} at the start: ${told}`);
    });

    for (const issuer of bad) issuer.behave("well");
    const since = performance.now();
    await each(async (issuer, name) => {
      const token = await tokenOf(world, issuer);
      if (!(await within(RECOVERY_MS_MAX, async () => (await ask(token)) === "ok")))
        say("recovers", `after ${name}`);
    });
    const worstRecoveryMs = performance.now() - since;

    // Away while its keys are known.
    misbehave();
    await each(async (issuer, name) => {
      const known = await tokenOf(world, issuer);
      const unknown = await ask(await tokenOf(world, issuer, "unknown"));
      if (!unknown.startsWith("KEY_SET_UNAVAILABLE") && unknown !== "DEADLINE_EXCEEDED")
        say("truthful", `an unknown key id while ${name}: ${unknown}`);
      const told = await ask(known);
      if (told !== "ok") say("served", `a known key while ${name}: ${told}`);
    });

    const flood = run.quick ? FLOOD.quick : FLOOD.full;
    const fetches = await unknownKeys(world, rpc, flood, say);
    await rotation(world, rpc, say);
    if (!server.isRunning()) say("served", "the server ended");
    return {
      did: `${bad.length} bad issuers beside a good one, ${flood} unknown key ids, a rotation`,
      worstRecoveryMs,
      broken,
      figures: `${fetches} fetches for the unknown key ids`,
    };
  },
};

type Say = (invariant: Invariant, sentence: string) => void;

async function unknownKeys(world: World, rpc: Rpc, count: number, say: Say): Promise<number> {
  const asked = () => world.issuer.requests.filter((path) => path === "/keys").length;
  const [before, since] = [asked(), performance.now()];
  await inParallel(50, count, async (n) => {
    const told = await heard(rpc, await tokenOf(world, world.issuer, `unknown-${n}`));
    if (told !== "UNAUTHENTICATED") say("truthful", `an unknown key id: ${told}`);
  });
  const fetches = asked() - before;
  const allowed = 1 + Math.ceil((performance.now() - since) / FETCH_INTERVAL_MS);
  if (fetches > allowed) say("bounded", `${count} unknown key ids made ${fetches} fetches`);
  return fetches;
}

/** The issuer's own, which no flood has asked for unknown keys. */
async function rotation(world: World, rpc: Rpc, say: Say): Promise<void> {
  const issuer = await givenIssuer(world);
  const server = await world.serve({ KEYTURN_OIDC_ISSUER: issuer.url });
  const other = openRpc(server.addresses.grpc);
  world.later(other.close);
  const old = await tokenOf(world, issuer);
  // Twice, so that the token is one that the server remembers.
  for (let time = 0; time < 2; time += 1)
    if ((await heard(other, old)) !== "ok") say("served", "the key before the rotation");
  await issuer.rotate();
  const told = await heard(other, await tokenOf(world, issuer));
  if (told !== "ok") say("served", `a new key at its first use: ${told}`);
  const withdrawn = await heard(other, old);
  if (withdrawn !== "UNAUTHENTICATED") say("refused", `a key that was withdrawn: ${withdrawn}`);
  if ((await heard(rpc, await world.token())) !== "ok") say("served", "the first server, at the end");
}

async function givenIssuer(world: World): Promise<TestIssuer> {
  const issuer = await startIssuer();
  world.later(issuer.stop);
  return issuer;
}

const tokenOf = (world: World, issuer: TestIssuer, kid?: string): Promise<string> =>
  issuer.sign({
    claims: { tenant_id: world.organizationId, roles: ["admin"] },
    ...(kid === undefined ? {} : { header: { kid } }),
  });

async function heard(rpc: Rpc, token: string): Promise<string> {
  const answer = await rpc.call(ServiceAccountService.method.listServiceAccounts, {}, { token });
  if ("ok" in answer) return "ok";
  const { reason = `code ${answer.failure.code}`, details } = answer.failure;
  const isPatient = details.some(({ $typeName }) => $typeName === "google.rpc.RetryInfo");
  return isPatient ? `${reason} with RetryInfo` : reason;
}
