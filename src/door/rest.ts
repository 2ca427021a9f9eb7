import type { IncomingMessage, ServerResponse } from "node:http";
import type { DescMessage, DescMethodUnary, JsonObject, MessageShape } from "@bufbuild/protobuf";
import { FaultError, invalidArgument } from "../domain/fault.ts";
import type { Call } from "../rpc/call.ts";
import { neverRead } from "../rpc/chain.ts";
import { decodeStrictJson, messageFromJson } from "../rpc/decode.ts";
import type { Kernel } from "../rpc/kernel.ts";
import { readBody } from "./body.ts";
import { commonHeaders, sendFault, sendJson } from "./http-answer.ts";
import { toRestJson } from "./rest-json.ts";
import { matchRoute, type Route, routesOf } from "./routes.ts";

export interface RestEdge {
  /** Answers every request; what fits no route is `route_unknown`. */
  handle(req: IncomingMessage, res: ServerResponse, open: OpenHttpCall): Promise<void>;
}

/** Begins a call for this request, with its signal tied to the connection. */
export type OpenHttpCall = (method: DescMethodUnary, door: "rest" | "connect") => Call;

/**
 * The REST edge: the same RPCs as JSON over HTTP, by the paths in their `google.api.http` options. What is REST's own is
 * here and nowhere else: 201 and 204, `Location`, the error envelope, lower-case enum words.
 */
export function createRestEdge(kernel: Kernel, messageBytesMax: number): RestEdge {
  const routes = routesOf(kernel.methods);
  return {
    async handle(req, res, open) {
      const [path = "", query] = (req.url ?? "").split("?", 2);
      const match = matchRoute(routes, req.method ?? "", path);
      if (match.kind !== "matched") throw new FaultError(match);
      const call = open(match.route.method, "rest");
      const read = (await kernel.admits(call))
        ? await prepare(req, call, match.route, match.variables, query, messageBytesMax)
        : neverRead;
      try {
        const message = await kernel.invoke(call, read);
        sendResult(res, call, message);
      } catch {
        sendFault(res, call.requestId, call.fault ?? { kind: "internal" });
      }
    },
  };
}

type ReadMessage = () => MessageShape<DescMessage>;

/** Reads the body, and leaves what is wrong with it to be thrown inside the chain, where it is logged and counted. */
async function prepare(
  req: IncomingMessage,
  call: Call,
  route: Route,
  variables: ReadonlyMap<string, string>,
  query: string | undefined,
  messageBytesMax: number,
): Promise<ReadMessage> {
  try {
    const fields = route.hasBody ? await readFields(req, call, messageBytesMax) : {};
    return () => {
      if (query !== undefined && query !== "") throw invalidArgument(...queryViolations(query));
      return messageFromJson(route.method.input, {
        ...fields,
        ...pathFields(route.method, fields, variables),
      });
    };
  } catch (err) {
    return () => {
      throw err;
    };
  }
}

async function readFields(req: IncomingMessage, call: Call, messageBytesMax: number): Promise<JsonObject> {
  const bytes = await readBody(req, messageBytesMax, call.signal);
  if (bytes.length === 0) return {};
  if (!isJson(req.headers["content-type"])) throw new FaultError({ kind: "content_type_unsupported" });
  const json = decodeStrictJson(bytes);
  if (json === null) return {};
  if (typeof json !== "object" || Array.isArray(json)) {
    throw invalidArgument({ field: "", description: "the body must be a JSON object" });
  }
  return json;
}

/** `application/json`, with UTF-8 as its charset if it names one. */
function isJson(contentType: string | undefined): boolean {
  return /^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(contentType ?? "");
}

function pathFields(
  method: DescMethodUnary,
  body: JsonObject,
  variables: ReadonlyMap<string, string>,
): JsonObject {
  const fields: JsonObject = {};
  for (const [name, raw] of variables) {
    const jsonName = method.input.fields.find((field) => field.name === name)?.jsonName ?? name;
    for (const key of [name, jsonName]) {
      if (key in body)
        throw invalidArgument({ field: key, description: "belongs in the path and not in the body" });
    }
    fields[jsonName] = decodeSegment(raw, name);
  }
  return fields;
}

function decodeSegment(raw: string, field: string): string {
  try {
    return decodeURIComponent(raw);
  } catch {
    throw invalidArgument({ field, description: "is not valid percent encoding" });
  }
}

function queryViolations(query: string) {
  const names = [...new Set(new URLSearchParams(query).keys())].slice(0, 8);
  return names.map((name) => ({
    field: name.slice(0, 64).toWellFormed(),
    description: "is not a parameter of this path",
  }));
}

function sendResult(res: ServerResponse, call: Call, message: MessageShape<DescMessage>): void {
  const headers = commonHeaders(call.requestId);
  const httpStatus = successStatus(call.method);
  if (httpStatus === 204) {
    res.writeHead(204, headers).end();
    return;
  }
  const body = toRestJson(call.method.output, message);
  if (httpStatus === 201) headers["location"] = locationOf(body);
  sendJson(res, httpStatus, headers, body);
}

/** AIP-133 and AIP-135 name the methods; the contract gives them HTTP's own words for success. */
function successStatus(method: DescMethodUnary): 200 | 201 | 204 {
  if (/^(Create|Rotate)/.test(method.name)) return 201;
  return method.name.startsWith("Delete") ? 204 : 200;
}

/** Where the new resource can be read: its `selfLink`, with the literal segments that the published paths have. */
function locationOf(body: JsonObject): string {
  return String(body["selfLink"]).replace(/^\/v1\//, "/v1/regions/global/");
}
