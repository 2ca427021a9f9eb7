import { type DescMethodUnary, getOption, hasOption } from "@bufbuild/protobuf";
import { http } from "../../gen/google/api/annotations_pb.ts";
import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { type Random, randomFrom, seedOfRun } from "../../test/model/random.ts";
import { frame, type RawGrpc, rawGrpc } from "../../test/support/raw-grpc.ts";
import { type Broken, type Drill, type Invariant, inTime } from "../support/drill.ts";
import { exchange } from "../support/exchange.ts";
import { type Fuzz, fuzzFrom } from "../support/fuzz.ts";
import { inParallel } from "../support/pace.ts";
import { openRpc } from "../support/rpc.ts";
import { RPCS } from "../support/rpcs.ts";
import { defectsIn, tellsOfInside } from "../support/telling.ts";
import { givenWorld } from "../support/world.ts";

const REQUESTS = { quick: 4_000, full: 200_000 };
const AT_A_TIME = 16;
/** An overload, or a deadline that was sent along, is no failure. */
const PATIENT = /OVERLOADED|DEADLINE_EXCEEDED|LOCK_TIMEOUT/;

export const drill: Drill = {
  title: "requests that are made from the descriptors and spoilt, and raw bytes, at every door",
  invariants: ["standing", "silent"],
  bugs: [
    {
      name: "percent encoding that is none is a defect",
      breaks: "standing",
      file: "src/door/rest-query.ts",
      from: "  } catch {\n    return undefined;\n  }",
      to: "  } finally {\n  }",
    },
    {
      name: "a refused request is told where in the code",
      breaks: "silent",
      file: "src/rpc/errors.ts",
      from: "        sentence(fault.violations),",
      to: "        sentence(fault.violations).concat(String(new Error().stack)),",
    },
  ],
  async run(run) {
    await using world = await givenWorld(run);
    const server = await world.serve();
    const { grpc, http: httpAddress, admin } = server.addresses;
    const token = await world.token();
    const accounts = await world.accounts(50);
    const seed = seedOfRun();
    const broken: Broken[] = [];
    const answers: Record<string, number> = {};
    const say = (invariant: Invariant, sentence: string) => {
      if (broken.length < 10)
        broken.push({ invariant, sentence: `seed ${seed}: ${sentence}`.replace(/\s+/g, " ") });
    };
    const sessions: RawGrpc[] = [];
    world.later(() => sessions.forEach((session) => void session.close()));
    const sessionOf = (n: number): RawGrpc => {
      const open = sessions[n];
      if (open !== undefined && !open.session.closed && !open.session.destroyed) return open;
      sessions[n] = rawGrpc(grpc);
      return sessions[n];
    };
    const count = run.quick ? REQUESTS.quick : REQUESTS.full;
    await inParallel(AT_A_TIME, count, async (n) => {
      // A seed of its own each, whatever the others do at the same moment.
      const random = randomFrom(seed + n);
      const fuzz = fuzzFrom(random, [...accounts.slice(0, 5), "active", "admin"]);
      const method = random.pick(RPCS);
      const door = random.weighted({ grpc: 4, http: 8, bytes: 1 });
      const mayIssue = /^(Create|Rotate)Credential$/.test(method.name);
      let heard: Heard | undefined;
      if (door === "grpc")
        heard = await inTime(overGrpc(sessionOf(n % AT_A_TIME), fuzz, random, method, token));
      else if (door === "http")
        heard = await inTime(overHttp(httpAddress, httpRequest(fuzz, random, method, token)));
      else {
        const bytes = fuzz.spoilt(fuzz.spoilt(httpRequest(fuzz, random, method, token)));
        heard = await inTime(overHttp(random.pick([httpAddress, grpc, admin]), bytes, true));
      }
      const what = `request ${n}, ${door} ${method.name}`;
      if (heard === undefined) return say("standing", `${what}: no answer`);
      answers[heard.word] = (answers[heard.word] ?? 0) + 1;
      if (heard.isFailure && !PATIENT.test(heard.text))
        say("standing", `${what}: ${heard.word} ${heard.text.slice(0, 200)}`);
      const told = tellsOfInside(heard.text, mayIssue);
      if (told !== undefined) say("silent", `${what}: ${told} in ${heard.text.slice(0, 300)}`);
    });
    for (const line of defectsIn(server.output()).slice(0, 5)) say("standing", line.slice(0, 300));
    if (!server.isRunning()) say("standing", "the server ended");
    const rpc = openRpc(grpc);
    world.later(rpc.close);
    const alive = await rpc.call(ServiceAccountService.method.listServiceAccounts, {}, { token });
    if (!("ok" in alive)) say("standing", `afterwards ${alive.failure.reason}`);
    return {
      did: `${count} requests, seed ${seed}`,
      broken,
      figures: Object.entries(answers)
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map(([word, times]) => `${word}: ${times}`)
        .join(", "),
    };
  },
};

interface Heard {
  readonly word: string;
  readonly isFailure: boolean;
  readonly text: string;
}

const CONTENT_TYPES = ["application/json", "application/proto", "application/grpc-web+proto"];
const OTHER_CONTENT_TYPES = [
  "",
  "text/plain",
  "application/grpc",
  "application/x-www-form-urlencoded",
  'a/b;c="',
  "application/connect+json",
];

const strangeHeaders = (fuzz: Fuzz, random: Random): string[] =>
  [
    "idempotency-key",
    "if-match",
    "x-request-id",
    "connect-timeout-ms",
    "traceparent",
    "x-forwarded-for",
    "accept",
    "te",
  ]
    .filter(() => random.chance(0.1))
    .map((name) => `${name}: ${Buffer.from(fuzz.text().replace(/[\r\n\0]/g, "")).toString("latin1")}`);

function httpRequest(fuzz: Fuzz, random: Random, method: DescMethodUnary, token: string): Buffer {
  const overRest = hasOption(method, http) && random.chance(0.6);
  const [line, bodied] = overRest
    ? restLine(fuzz, random, method)
    : [`POST /${method.parent.typeName}/${method.name}`, true];
  const contentType = random.pick(
    random.chance(0.9) ? (overRest ? CONTENT_TYPES.slice(0, 1) : CONTENT_TYPES) : OTHER_CONTENT_TYPES,
  );
  const isBinary = contentType.includes("proto");
  const message = isBinary ? fuzz.binary(method.input) : fuzz.json(method.input);
  const framed = contentType.includes("web")
    ? frame(message, random.chance(0.1) ? { flag: random.below(256) } : {})
    : message;
  const body = bodied ? framed : Buffer.alloc(0);
  const head = [
    `${line} HTTP/1.1`,
    "host: localhost",
    "connection: close",
    ...(random.chance(0.95) ? [`authorization: Bearer ${token}`] : []),
    ...(bodied ? [`content-type: ${contentType}`, `content-length: ${body.length}`] : []),
    ...strangeHeaders(fuzz, random),
  ];
  return Buffer.concat([Buffer.from(`${head.join("\r\n")}\r\n\r\n`, "latin1"), body]);
}

/** The request line up to the version, and whether a body goes with it. */
function restLine(fuzz: Fuzz, random: Random, method: DescMethodUnary): [string, boolean] {
  const rule = getOption(method, http);
  const { pattern, body } = random.pick([rule, ...rule.additionalBindings]);
  const path = String(pattern.value).replace(/\{\w+\}/g, () =>
    random.chance(0.9)
      ? encodeURIComponent(fuzz.text().toWellFormed())
      : random.pick(["%", "%zz", "%ff%fe", "..", "*"]),
  );
  const query = Array.from({ length: random.below(4) }, () => fuzz.parameter(method.input)).join("&");
  const target = query === "" || random.chance(0.5) ? path : `${path}?${query}`;
  const verb = random.chance(0.95)
    ? String(pattern.case).toUpperCase()
    : random.pick(["PUT", "HEAD", "OPTIONS", "TRACE", "get"]);
  return [`${verb} ${target}`, body === "*" || random.chance(0.05)];
}

async function overHttp(address: string, bytes: Buffer, isAll = false): Promise<Heard> {
  const { status, text } = await exchange(address, bytes, isAll);
  const isInternal = /grpc-status: (2|13|15)\r/.test(text);
  return { word: status === 0 ? "closed" : `${status}`, isFailure: status >= 500 || isInternal, text };
}

async function overGrpc(
  { call }: RawGrpc,
  fuzz: Fuzz,
  random: Random,
  method: DescMethodUnary,
  token: string,
): Promise<Heard> {
  const message = fuzz.binary(method.input);
  const framing = random.chance(0.1) ? { flag: random.below(256), length: random.below(200) } : {};
  const answer = await call(frame(message, framing), {
    ":path": `/${method.parent.typeName}/${method.name}`,
    authorization: `Bearer ${token}`,
    ...(random.chance(0.05) ? { "grpc-timeout": random.pick(["1n", "99999999H", "x", "-1S", "0m"]) } : {}),
    ...(random.chance(0.05) ? { "grpc-encoding": random.pick(["gzip", "identity", "snappy", ""]) } : {}),
  });
  const text = [answer.message, JSON.stringify(answer.details)].join(" ");
  return { word: `code ${answer.code}`, isFailure: [2, 13, 14, 15].includes(answer.code), text };
}
