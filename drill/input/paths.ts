import { getOption, hasOption } from "@bufbuild/protobuf";
import { http } from "../../gen/google/api/annotations_pb.ts";
import { frame, rawGrpc } from "../../test/support/raw-grpc.ts";
import { type Broken, type Drill, type Invariant, inTime } from "../support/drill.ts";
import { exchange, requestText } from "../support/exchange.ts";
import { inParallel } from "../support/pace.ts";
import { RPCS } from "../support/rpcs.ts";
import { spoofHeaders } from "../support/spoofed-headers.ts";
import { givenWorld } from "../support/world.ts";

/** What some router, proxy or file system takes for a slash, or for nothing. */
const SLASHES = ["//", "/./", "/x/../", "%2f", "%2F", "%252f", "\\", "/%2e/", "/;/", "/%2e%2e/", "／"];
const WHOLE: readonly ((path: string) => string)[] = [
  (path) => `/${path}`,
  (path) => path.slice(1),
  (path) => `${path}/`,
  (path) => `${path}.`,
  (path) => `${path}%20`,
  (path) => `${path}%00`,
  (path) => `${path};`,
  (path) => `${path}#`,
  (path) => `${path}%3f`,
  (path) => `${path}%23`,
  (path) => path.replace(":", "%3A"),
  (path) => path.replace(/[a-z]+/, (word) => word.toUpperCase()),
  (path) => path.replace(/\/[a-z.]/i, (at) => `/%${at.charCodeAt(1).toString(16)}`),
  (path) => `http://localhost${path}`,
  (path) => `//localhost${path}`,
  (path) => `${path}:get`,
  () => "*",
];
const GRPC: readonly ((path: string) => string)[] = [
  ...WHOLE,
  (path) => path.toLowerCase(),
  (path) => `${path}?x=1`,
  (path) => path.replace(/\/(\w+)$/, "//$1"),
  (path) => path.replace(/\/(\w+)$/, "%2F$1"),
  (path) => path.replace(/\/(\w+)$/, "/../$1"),
  () => "",
];

const spellingsOf = (path: string): string[] => {
  const slashes = [...path.matchAll(/\//g)].map(({ index }) => index);
  const split = slashes.flatMap((at) => SLASHES.map((odd) => path.slice(0, at) + odd + path.slice(at + 1)));
  return [...new Set([...split, ...WHOLE.map((change) => change(path))])].filter((odd) => odd !== path);
};

export const drill: Drill = {
  title: "paths that some router takes for another, and headers that some server believes",
  invariants: ["unmoved", "standing"],
  bugs: [
    {
      name: "a path is tidied up before it is matched",
      breaks: "unmoved",
      file: "src/door/routes.ts",
      from: 'path.endsWith("/") ? [] : path.split("/");',
      to: 'new URL(path, "http://localhost").pathname.split("/");',
    },
    {
      name: "the token of another header",
      breaks: "unmoved",
      file: "src/rpc/interceptors/authenticate.ts",
      from: 'call.header("authorization");',
      to: 'call.header("authorization") ?? call.header("grpc-metadata-authorization");',
    },
    {
      name: "a method that a header names",
      breaks: "unmoved",
      file: "src/door/rest.ts",
      from: 'req.method ?? "", path);',
      to: 'String(req.headers["x-http-method-override"] ?? req.method), path);',
    },
    {
      name: "a forwarded address that anybody may name",
      breaks: "unmoved",
      file: "src/doors.ts",
      from: "createClientAddress(config.trustedProxies)",
      to: 'createClientAddress(["127.0.0.0/8"])',
    },
    {
      name: "a path of two slashes ends the server",
      breaks: "standing",
      file: "src/door/http2-server.ts",
      from: '      const path = headers[":path"] ?? "";\n',
      to: '      const path = headers[":path"] ?? "";\n      if (path.startsWith("//")) throw new Error(path);\n',
    },
  ],
  async run(run) {
    await using world = await givenWorld(run);
    const server = await world.serve();
    const broken: Broken[] = [];
    const say = (invariant: Invariant, sentence: string) => void broken.push({ invariant, sentence });
    const token = await world.token();
    const [account = ""] = await world.accounts(1);
    const authorization = `authorization: Bearer ${token}`;

    const requests = RPCS.flatMap((method) => {
      const rpc = { verb: "POST", path: `/${method.parent.typeName}/${method.name}`, hasBody: true };
      if (!hasOption(method, http)) return [rpc];
      const rule = getOption(method, http);
      const rest = [rule, ...rule.additionalBindings].map(({ pattern, body }) => ({
        verb: String(pattern.case).toUpperCase(),
        path: String(pattern.value).replace(/\{\w+\}/g, account),
        hasBody: body !== "",
      }));
      return [rpc, ...rest];
    });
    const odd = requests.flatMap(({ verb, path, hasBody }) =>
      spellingsOf(path).map((spelling) => ({ line: `${verb} ${spelling}`, body: hasBody ? "{}" : "" })),
    );
    await inParallel(16, odd.length, async (n) => {
      const { line, body } = odd[n] as (typeof odd)[number];
      const answer = await inTime(exchange(server.addresses.http, requestText(line, [authorization], body)));
      if (answer === undefined) say("standing", `${line}: no answer`);
      else if (answer.status >= 500) say("standing", `${line}: ${answer.status}`);
      // Where the odd part falls into an id, it is one that there cannot be.
      else if (![400, 404, 405].includes(answer.status) || isFound(answer.text))
        say("unmoved", `${line}: ${answer.status} ${answer.text.split("\r\n\r\n")[1]?.slice(0, 100)}`);
    });

    let grpcCount = 0;
    for (const method of RPCS) {
      const path = `/${method.parent.typeName}/${method.name}`;
      for (const spelling of GRPC.map((change) => change(path))) {
        if (spelling === path) continue;
        // A connection each, for the server may well end it.
        const grpc = rawGrpc(server.addresses.grpc);
        const answer = await inTime(
          grpc
            .call(frame(Buffer.alloc(0)), { ":path": spelling, authorization: `Bearer ${token}` })
            .catch(() => undefined),
        );
        grpc.close();
        grpcCount += 1;
        const code = answer?.code ?? -1;
        if (code === 13 || code === 2) say("standing", `:path ${spelling}: code ${code}`);
        else if (code !== -1 && code !== 12) say("unmoved", `:path ${spelling}: code ${code}`);
        if (!server.isRunning()) break;
      }
    }
    const spoofed = server.isRunning() ? await spoofHeaders(world, server, say) : 0;
    if (!server.isRunning()) say("standing", "the server ended");
    return {
      did: `${odd.length} paths over HTTP, ${grpcCount} over gRPC, ${spoofed} calls with made-up headers`,
      broken: broken.slice(0, 10),
    };
  },
};

/** A 404 that is not about the path is one that a handler has given. */
const isFound = (text: string): boolean => / 404 /.test(text.slice(0, 20)) && !text.includes("ROUTE_UNKNOWN");
