import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { unissuedSecret } from "../../test/support/issued-credential.ts";
import { memoryOf } from "../../test/support/memory.ts";
import type { Broken, Drill } from "../support/drill.ts";
import { startForgers } from "../support/forgers.ts";
import { inParallel } from "../support/pace.ts";
import { openRpc } from "../support/rpc.ts";
import { issue, startValidCallers } from "../support/valid-callers.ts";
import { givenWorld, type World } from "../support/world.ts";

/** In a full run far more than the throttles keep keys, which is 65,536 of each kind. */
const FORGED = { quick: 20_000, full: 1_000_000 };
const TOKENS = { quick: 500, full: 50_000 };
const GUESSES = 25;
/** What a key of a throttle takes is some hundred bytes; what V8 leaves lying about for a while is a multiple of that. */
const GROWTH_MIB_MAX = 200;
const ALONE_MS = 5_000;
/** Twice is wanted; the flood has the same two cores, and is as much as they can do. */
const SLOWER_MAX = 20;
/** Nobody can tell less than this from the pauses of a machine. */
const P99_MS_MIN = 5;
const SOURCE = "198.51.100.7";
const CHECK_SECRET = "src/service/check-secret.ts";

export const drill: Drill = {
  title: "forged secrets by random ids and sources, and tokens of random callers, beside those who behave",
  invariants: ["bounded", "served"],
  bugs: [
    {
      name: "each forged secret is remembered",
      breaks: "bounded",
      file: CHECK_SECRET,
      from: "      if (source !== undefined) deps.forgeries.count(source);\n",
      to: '      (deps["seen"] ??= []).push(Buffer.alloc(20_000, 1));\n',
    },
    {
      name: "the right secret waits for the wrong ones that came from the same place",
      breaks: "served",
      file: CHECK_SECRET,
      from: '  if (stored !== undefined && matcher.isKnown(secret, stored)) return "match";\n',
      to: "",
    },
  ],
  async run(run) {
    await using world = await givenWorld(run);
    const server = await world.serve();
    const { grpc } = server.addresses;
    const rpc = openRpc(grpc);
    world.later(rpc.close);
    const broken: Broken[] = [];
    const secret = await issue(world, rpc);
    const callers = await startValidCallers(world, grpc, { secret, sourceIp: SOURCE });
    const memory = memoryOf(server.pid);
    const forgers = startForgers(world, grpc);
    await forgers.secrets(3_000);
    const first = callers.taken();
    await delay(ALONE_MS);
    const alone = callers.taken();
    const before = memory?.now() ?? 0;

    const count = run.quick ? FORGED.quick : FORGED.full;
    const guessing = guess(world, grpc, /cred-[a-z0-9]+/.exec(secret)?.[0] as string);
    const sent = await forgers.secrets(count);
    await guessing;
    const amid = callers.taken();
    const [signed, forged] = await signedAndForged(world, run.quick ? TOKENS.quick : TOKENS.full);
    const meanwhile = callers.taken();
    const taken = new Set(await forgers.tokens([...signed, ...forged]));
    const among = callers.taken();
    const accepted = forged.filter((token) => taken.has(token)).length;
    if (accepted > 0)
      broken.push({
        invariant: "served",
        sentence: `${accepted} tokens that nobody has signed were accepted`,
      });
    if (taken.size === 0) broken.push({ invariant: "served", sentence: "no token was accepted" });
    for (const { calls } of [alone, amid, among])
      if (calls === 0) broken.push({ invariant: "served", sentence: "nobody who behaves was answered" });
    await callers.stop();
    const slower = Math.max(amid.p99Ms, among.p99Ms) / Math.max(alone.p99Ms, P99_MS_MIN);
    if (slower > SLOWER_MAX)
      broken.push({
        invariant: "served",
        sentence: `a caller who behaves waits ${slower.toFixed(1)} times as long`,
      });
    const grown = (memory?.now() ?? 0) - before;
    if (grown > GROWTH_MIB_MAX)
      broken.push({ invariant: "bounded", sentence: `memory grew by ${grown} MiB` });
    for (const failure of new Set([
      ...first.failures,
      ...alone.failures,
      ...amid.failures,
      ...meanwhile.failures,
      ...among.failures,
    ]))
      broken.push({ invariant: "served", sentence: `a caller who behaves met ${failure}` });
    if (!server.isRunning()) broken.push({ invariant: "served", sentence: "the server ended" });
    return {
      did: `${sent} forged secrets, ${GUESSES} wrong ones from the source of the right one, ${signed.length + forged.length} tokens of random callers, half of them forged`,
      broken,
      figures: `memory +${grown} MiB; p99 of those who behave ${alone.p99Ms} ms alone, ${amid.p99Ms} ms beside the secrets, ${among.p99Ms} ms beside the tokens; ${amid.calls} calls served`,
    };
  },
};

/** Tokens of so many callers whom nobody has seen, every other one with a signature that nobody has made. */
async function signedAndForged(
  { issuer }: World,
  count: number,
): Promise<readonly [signed: string[], forged: string[]]> {
  const [signed, forged]: [string[], string[]] = [[], []];
  await inParallel(16, count, async (n) => {
    const token = await issuer.sign({
      claims: {
        tenant_id: `org-${randomBytes(8).toString("hex")}`,
        sub: "s".repeat(200) + n,
        roles: ["verifier"],
      },
    });
    if (n % 2 === 0) signed.push(token);
    else forged.push(token.replace(/[^.]+$/, randomBytes(64).toString("base64url")));
  });
  return [signed, forged];
}

/** At the credential of those who behave, from the place where they are. */
async function guess(world: World, address: string, credentialId: string): Promise<void> {
  const rpc = openRpc(address);
  world.later(rpc.close);
  for (let n = 0; n < GUESSES; n += 1) {
    const req = { clientSecret: unissuedSecret(credentialId), sourceIp: SOURCE };
    await rpc.call(VerificationService.method.verifyCredential, req, { token: await world.token() });
  }
}
