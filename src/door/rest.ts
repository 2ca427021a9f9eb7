import type { IncomingMessage, ServerResponse } from "node:http";
import type { DescMessage, DescMethodUnary, JsonObject, MessageShape } from "@bufbuild/protobuf";
import { FaultError, invalidArgument } from "../domain/fault.ts";
import { isJsonObject } from "../domain/strict-json.ts";
import type { Call } from "../rpc/call.ts";
import { neverRead } from "../rpc/chain.ts";
import { decodeStrictJson } from "../rpc/decode.ts";
import type { Kernel } from "../rpc/kernel.ts";
import { readBody } from "./body.ts";
import { commonHeaders, sendFault, sendJson } from "./http-answer.ts";
import { isForm, isOAuth, readForm, requireBareQuery, sendOAuthFault, withBasic } from "./oauth.ts";
import { type RestAnswer, restAnswer } from "./rest-answer.ts";
import { restMessage } from "./rest-request.ts";
import { type PathVariables, type Route, routeFinder, routesOf } from "./routes.ts";

export interface RestEdge {
  /** Answers every request; what fits no route is `route_unknown`. */
  handle(req: IncomingMessage, res: ServerResponse, open: OpenHttpCall): Promise<void>;
}

/** Begins a call for this request, with its signal tied to the connection. */
export type OpenHttpCall = (
  method: DescMethodUnary,
  door: "rest" | "connect",
  route?: Pick<Route, "httpMethod" | "template">,
) => Call;

/**
 * The REST edge: the same RPCs as JSON over HTTP, by the paths in their `google.api.http` options. What is REST's own is
 * in the files of its name and nowhere else: 201 and 204, `Location`, the error envelope, lower-case enum words.
 */
export function createRestEdge(kernel: Kernel, messageBytesMax: number): RestEdge {
  const findRoute = routeFinder(routesOf(kernel.methods));
  return {
    async handle(req, res, open) {
      const { path, query } = targetOf(req);
      const match = findRoute(req.method ?? "", path);
      if (match.kind !== "matched") throw new FaultError(match);
      const call = open(match.route.method, "rest", match.route);
      const read = (await kernel.admits(call))
        ? await prepare(req, call, { ...match, query }, messageBytesMax)
        : neverRead;
      try {
        const encode = (message: MessageShape<DescMessage>) =>
          restAnswer(match.route.method, read(), message);
        send(res, call, await kernel.invoke(call, read, encode));
      } catch {
        const fault = call.fault ?? { kind: "internal" };
        if (isOAuth(call.method)) sendOAuthFault(res, call, fault);
        else sendFault(res, call.requestId, fault);
      }
    },
  };
}

/** The request target at its first `?`: further ones belong to the query. */
function targetOf({ url = "" }: IncomingMessage): { readonly path: string; readonly query: string } {
  const at = url.indexOf("?");
  return at < 0 ? { path: url, query: "" } : { path: url.slice(0, at), query: url.slice(at + 1) };
}

interface Target {
  readonly route: Route;
  readonly variables: PathVariables;
  readonly query: string;
}

type ReadMessage = () => MessageShape<DescMessage>;

/** Reads the message, and leaves what is wrong with it to be thrown inside the chain, where it is logged and counted. */
async function prepare(
  req: IncomingMessage,
  call: Call,
  target: Target,
  messageBytesMax: number,
): Promise<ReadMessage> {
  try {
    if (isOAuth(call.method)) requireBareQuery(target.query);
    const body = target.route.hasBody ? await readFields(req, call, messageBytesMax) : requireNoBody(req);
    const query = isOAuth(call.method) ? "" : target.query;
    const message = restMessage({ ...target, query, body, idempotencyKey: call.header("idempotency-key") });
    return () => message;
  } catch (err) {
    return () => {
      throw err;
    };
  }
}

async function readFields(req: IncomingMessage, call: Call, messageBytesMax: number): Promise<JsonObject> {
  if (!isOAuth(call.method)) return readObject(req, call, messageBytesMax);
  const read = isForm(req.headers["content-type"]) ? readForm : readObject;
  return withBasic(call, await read(req, call, messageBytesMax));
}

async function readObject(req: IncomingMessage, call: Call, messageBytesMax: number): Promise<JsonObject> {
  const bytes = await readBody(req, messageBytesMax, call.signal);
  if (bytes.length === 0) return {};
  if (!isJson(req.headers["content-type"])) throw new FaultError({ kind: "content_type_unsupported" });
  const json = decodeStrictJson(bytes);
  if (json === null) return {};
  if (!isJsonObject(json))
    throw invalidArgument({ field: "", description: "the body must be a JSON object" });
  return json;
}

/** A body that nobody reads would be a request that was not understood. Node throws it away once we have answered. */
function requireNoBody({ headers }: IncomingMessage): JsonObject {
  const isThere = headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) > 0;
  if (isThere) throw invalidArgument({ field: "", description: "this method takes no body on this path" });
  return {};
}

/** `application/json`, with UTF-8 as its charset if it names one. */
function isJson(contentType: string | undefined): boolean {
  return /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(contentType ?? "");
}

function send(res: ServerResponse, call: Call, { httpStatus, location, body }: RestAnswer): void {
  // RFC 6749 section 5.1 wants both.
  const headers = {
    ...commonHeaders(call.requestId),
    ...(isOAuth(call.method) ? { pragma: "no-cache" } : {}),
  };
  if (location !== undefined) headers["location"] = location;
  if (body === undefined) res.writeHead(httpStatus, headers).end();
  else sendJson(res, httpStatus, headers, body);
}
