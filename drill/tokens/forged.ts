import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { algorithmAttacks } from "../../test/auth/attacks/algorithm-attacks.ts";
import { claimAttacks } from "../../test/auth/attacks/claim-attacks.ts";
import { type Attack, type Target, withClaims } from "../../test/auth/attacks/forge.ts";
import { headerAttacks } from "../../test/auth/attacks/header-attacks.ts";
import { keyAttacks } from "../../test/auth/attacks/key-attacks.ts";
import { payloadAttacks } from "../../test/auth/attacks/payload-attacks.ts";
import { shapeAttacks } from "../../test/auth/attacks/shape-attacks.ts";
import { signatureAttacks } from "../../test/auth/attacks/signature-attacks.ts";
import { type AnyAnswer, openAnyDoors } from "../../test/support/any-rpc.ts";
import { makeSigningKey } from "../../test/support/token.ts";
import { type Broken, type Drill, inTime } from "../support/drill.ts";
import { GUARDED, hasRest, messageWithIds } from "../support/rpcs.ts";
import { givenWorld, type World } from "../support/world.ts";

const lateAttacks: readonly Attack[] = [
  ["nbf in ten minutes", "not_yet_valid", withClaims(({ seconds }) => ({ nbf: seconds + 600 }))],
  ["iat in ten minutes", "not_yet_valid", withClaims(({ seconds }) => ({ iat: seconds + 600 }))],
];

/** Those that no client can send in a header, and those that are valid a second later, are left to the tests. */
const attacks = [
  ...algorithmAttacks,
  ...keyAttacks,
  ...headerAttacks,
  ...shapeAttacks,
  ...payloadAttacks,
  ...claimAttacks.filter(([, refusal]) => refusal !== "not_yet_valid"),
  ...lateAttacks,
  ...signatureAttacks,
];
const isSendable = (token: string) => /^[\x20-\x7e]*$/.test(token);

const ERRORS = "src/rpc/errors.ts";
const CLAIMS = "src/auth/claims.ts";

export const drill: Drill = {
  title: "forged, late and malformed tokens at every door and RPC",
  invariants: ["refused", "standing"],
  bugs: [
    {
      name: "a token for another audience is taken",
      breaks: "refused",
      file: CLAIMS,
      from: '  assertAudience(claims["aud"], rules.audiences);\n',
      to: "",
    },
    {
      name: "a refusal that says which check it was",
      breaks: "refused",
      file: ERRORS,
      from: '"send a valid bearer token in the authorization header",',
      to: '"send a valid bearer token - ".concat(fault.refusal),',
    },
    {
      name: "a subject that is no text is a defect",
      breaks: "standing",
      file: CLAIMS,
      from: 'if (typeof sub !== "string" || sub === "" ||',
      to: "if (",
    },
  ],
  async run(run) {
    await using world = await givenWorld(run);
    const target = await givenTarget(world);
    const server = await world.serve();
    const { grpc, http } = server.addresses;
    const doors = openAnyDoors({ httpUrl: `http://${http}`, grpcAddress: grpc });
    world.later(() => doors.forEach((door) => void door.close()));
    const broken: Broken[] = [];
    const constant = new Map<string, string>();
    let sent = 0;
    const ask = (door: (typeof doors)[number], method: (typeof GUARDED)[number], token: string) => {
      const call = { method, message: messageWithIds(method), token, requestId: `r-${sent++}` };
      return inTime(door.call(call));
    };
    const judge = (key: string, name: string, answer: AnyAnswer | undefined) => {
      const { reason, restStatus = 401, code = 16, wire } = answer ?? { reason: "no answer", wire: "" };
      constant.set(key, constant.get(key) ?? wire);
      const isFailure = answer === undefined || restStatus >= 500 || [2, 4, 13, 14].includes(code);
      if (isFailure) broken.push({ invariant: "standing", sentence: `${key}, ${name}: ${reason} ${code}` });
      else if (restStatus !== 401 || code !== 16 || reason !== "UNAUTHENTICATED")
        broken.push({ invariant: "refused", sentence: `${key}, ${name}: ${reason} ${restStatus} ${code}` });
      else if (wire !== constant.get(key))
        broken.push({ invariant: "refused", sentence: `${key}, ${name}: another answer` });
    };

    await isServed(world, doors[0] as (typeof doors)[number]);
    let turn = 0;
    for (const [name, , forge] of attacks) {
      const token = await forge({ ...target, seconds: Math.floor(Date.now() / 1000) });
      if (!isSendable(token)) continue;
      // Every RPC has its turn at each door; in a full run with each of the tokens.
      const asked = run.quick ? [GUARDED[turn++ % GUARDED.length] as (typeof GUARDED)[number]] : GUARDED;
      await Promise.all(
        doors.flatMap((door) =>
          asked
            .filter((method) => door.name !== "REST" || hasRest(method))
            .map(async (method) =>
              judge(`${door.name} ${wordsOf(door.name, method.name)}`, name, await ask(door, method, token)),
            ),
        ),
      );
    }
    for (const door of doors) {
      if (!(await isServed(world, door)))
        broken.push({
          invariant: "standing",
          sentence: `a good token is refused afterwards by ${door.name}`,
        });
    }
    if (!server.isRunning()) broken.push({ invariant: "standing", sentence: "the server ended" });
    return {
      did: `${attacks.length} tokens, ${sent} calls at ${doors.length} doors`,
      broken: broken.slice(0, 10),
      figures: `${new Set(constant.values()).size} different refusals at ${constant.size} places`,
    };
  },
};

/** The paths of OAuth have words of their own (RFC 6749); everywhere else a door has one refusal. */
const wordsOf = (door: string, rpc: string) =>
  door === "REST" && /Token$/.test(rpc) ? "of OAuth" : "of the API";

async function givenTarget({ issuer }: World): Promise<Omit<Target, "seconds">> {
  const [second, rsa, stranger] = await Promise.all([
    makeSigningKey("ES256"),
    makeSigningKey("RS256"),
    makeSigningKey("ES256"),
  ]);
  const main = issuer.key();
  issuer.publish([main.jwk, second.jwk, rsa.jwk]);
  return { issuer, main, second, rsa, stranger };
}

async function isServed(world: World, door: ReturnType<typeof openAnyDoors>[number]): Promise<boolean> {
  const method = ServiceAccountService.method.listServiceAccounts;
  const token = await world.token();
  const answer = await door.call({ method, message: messageWithIds(method), token, requestId: "good" });
  return answer.reason === "" && (answer.restStatus ?? 200) === 200;
}
