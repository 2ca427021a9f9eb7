import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { runGrpcLoad } from "../../bench/support/grpc-load.ts";
import {
  VerificationService,
  VerifyCredentialRequestSchema,
} from "../../gen/keyturn/v1/verification_service_pb.ts";
import { checksumOf } from "../../test/support/forgery.ts";
import { unissuedSecret } from "../../test/support/issued-credential.ts";
import { memoryOf } from "../../test/support/memory.ts";
import type { Broken, Drill } from "../support/drill.ts";
import { inParallel } from "../support/pace.ts";
import { openRpc } from "../support/rpc.ts";
import { issue, startValidCallers } from "../support/valid-callers.ts";
import { givenWorld, type World } from "../support/world.ts";

/** In a full run far more than the throttles keep keys, which is 65,536 of each kind. */
const FORGED = { quick: 20_000, full: 1_000_000 };
const TOKENS = { quick: 500, full: 50_000 };
const BATCH_MS = 1_000;
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
    await forge(world, grpc, 3_000);
    const first = callers.taken();
    await delay(ALONE_MS);
    const alone = callers.taken();
    const before = memory?.now() ?? 0;

    const count = run.quick ? FORGED.quick : FORGED.full;
    const guessing = guess(world, grpc, /cred-[a-z0-9]+/.exec(secret)?.[0] as string);
    const sent = await forge(world, grpc, count);
    await guessing;
    const amid = callers.taken();
    let accepted = 0;
    const tokens = run.quick ? TOKENS.quick : TOKENS.full;
    await inParallel(16, tokens, async (n) => {
      const signed = await world.issuer.sign({
        claims: {
          tenant_id: `org-${randomBytes(8).toString("hex")}`,
          sub: "s".repeat(200) + n,
          roles: ["verifier"],
        },
      });
      // Every other one is signed by nobody.
      const token = n % 2 === 0 ? signed : signed.replace(/[^.]+$/, randomBytes(64).toString("base64url"));
      const answer = await rpc.call(
        VerificationService.method.verifyCredential,
        { clientSecret: "x" },
        { token },
      );
      if (n % 2 === 1 && !("failure" in answer)) accepted += 1;
    });
    const among = callers.taken();
    if (accepted > 0)
      broken.push({
        invariant: "served",
        sentence: `${accepted} tokens that nobody has signed were accepted`,
      });
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
      ...among.failures,
    ]))
      broken.push({ invariant: "served", sentence: `a caller who behaves met ${failure}` });
    if (!server.isRunning()) broken.push({ invariant: "served", sentence: "the server ended" });
    return {
      did: `${sent} forged secrets, ${GUESSES} wrong ones from the source of the right one, ${tokens} tokens of random callers, half of them forged`,
      broken,
      figures: `memory +${grown} MiB; p99 of those who behave ${alone.p99Ms} ms alone, ${amid.p99Ms} ms beside the secrets, ${among.p99Ms} ms beside the tokens; ${amid.calls} calls served`,
    };
  },
};

/** Sends at least so many. Resolves to how many there were. */
async function forge(world: World, address: string, count: number): Promise<number> {
  let sent = 0;
  while (sent < count) {
    const { answers, failures } = await runGrpcLoad(
      {
        address,
        path: `/${VerificationService.typeName}/VerifyCredential`,
        messages: FRESH,
        token: await world.token(),
        connections: 2,
        callers: 32,
      },
      BATCH_MS,
    );
    if (failures > answers / 10) throw new Error(`${failures} of ${answers} forged secrets got no answer`);
    sent += answers;
  }
  return sent;
}

/** Each is made when it is sent, and no two are alike. */
const FRESH: readonly Buffer[] = new Proxy([], {
  get: (_, key) => (key === "length" ? Number.MAX_SAFE_INTEGER : forgedRequest()),
});

/** Shape and checksum are right, and the tag is not. */
function forgedRequest(): Buffer {
  const hex = randomBytes(40).toString("hex");
  const text = `plt_cs_cred-${hex.slice(0, 20)}_${hex.slice(20, 74)}`;
  const sourceIp = `10.${randomBytes(3).join(".")}`;
  const req = create(VerifyCredentialRequestSchema, { clientSecret: text + checksumOf(text), sourceIp });
  return Buffer.from(toBinary(VerifyCredentialRequestSchema, req));
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
