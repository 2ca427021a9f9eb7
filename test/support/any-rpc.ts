import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type JsonValue,
  type MessageShape,
  toBinary,
  toJson,
} from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { ConnectError, type Transport } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { answerOf, type DetailJson, type DoorAddresses, type DoorUnderTest, detailsOf } from "./doors.ts";
import { restSent } from "./rest-binding.ts";

/** A call of any unary RPC, by its descriptor. */
export interface AnyCall {
  readonly method: DescMethodUnary;
  readonly message: MessageShape<DescMessage>;
  readonly token: string | undefined;
  /** Sent as `X-Request-Id`. */
  readonly requestId: string;
}

/** What the caller hears, brought to one form. */
export interface AnyAnswer {
  /** 0 when the call succeeded. Not told by the REST edge. */
  readonly code: number | undefined;
  /** Of the REST edge only. */
  readonly restStatus: number | undefined;
  /** Of the ErrorInfo; empty on success. */
  readonly reason: string;
  readonly details: readonly DetailJson[];
  /** What came back as `X-Request-Id`. */
  readonly requestId: string | undefined;
  /** All that the caller hears, but for the request id and the time of day: equal when nothing tells two answers apart. */
  readonly wire: string;
}

/** One way to all RPCs, with connections of its own. */
export interface AnyDoor {
  readonly name: DoorUnderTest["name"];
  /** Rejects only when there is no answer that the service gave. */
  call(call: AnyCall): Promise<AnyAnswer>;
  close(): void;
}

/** The five ways to every RPC, each through a client of its own kind. */
export function openAnyDoors(at: DoorAddresses): AnyDoor[] {
  const options = { baseUrl: at.httpUrl, httpVersion: "1.1" as const };
  const close = () => {};
  return [
    { name: "REST", call: (call) => overRest(at.httpUrl, call), close },
    connectDoor("Connect JSON", createConnectTransport({ ...options, useBinaryFormat: false })),
    connectDoor("Connect proto", createConnectTransport({ ...options, useBinaryFormat: true })),
    connectDoor("gRPC-Web", createGrpcWebTransport(options)),
    grpcDoor(at.grpcAddress),
  ];
}

interface Heard {
  readonly code?: number;
  readonly restStatus?: number;
  readonly details: readonly DetailJson[];
  /** By lower-case name. */
  readonly headers: Iterable<readonly [name: string, value: string]>;
  /** The message of a success, the words of a refusal, at the REST edge the whole body. */
  readonly content: JsonValue;
}

const UNSTEADY = ["x-request-id", "date", "connection", "keep-alive"];

function heard({ code, restStatus, details, headers, content }: Heard): AnyAnswer {
  const all = [...headers].sort(([a], [b]) => (a < b ? -1 : 1));
  const steady = all.filter(([name]) => !UNSTEADY.includes(name));
  return {
    code,
    restStatus,
    reason: answerOf({ code: code ?? -1, details, header: () => undefined }).reason,
    details,
    requestId: all.find(([name]) => name === "x-request-id")?.[1],
    wire: JSON.stringify([code, restStatus, steady, content, details]),
  };
}

const headersOf = ({ token, requestId }: AnyCall): Record<string, string> => ({
  "x-request-id": requestId,
  ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
});

async function overRest(httpUrl: string, call: AnyCall): Promise<AnyAnswer> {
  const { httpMethod, target, body } = restSent(call.method, call.message);
  const res = await fetch(httpUrl + target, {
    method: httpMethod,
    headers: { ...headersOf(call), ...(body === undefined ? {} : { "content-type": "application/json" }) },
    body: body ?? null,
  });
  const text = await res.text();
  const error = res.ok ? undefined : JSON.parse(text).error;
  const oauthReason = REASON_BY_OAUTH_ERROR[error];
  return {
    ...heard({ restStatus: res.status, details: error?.details ?? [], headers: res.headers, content: text }),
    ...(oauthReason === undefined ? {} : { reason: oauthReason }),
  };
}

/** On the paths of OAuth there is its word alone (RFC 6749 section 5.2), and none of our reasons. */
const REASON_BY_OAUTH_ERROR: Readonly<Record<string, string>> = {
  invalid_token: "UNAUTHENTICATED",
  insufficient_scope: "PERMISSION_DENIED",
  invalid_request: "INVALID_ARGUMENT",
  invalid_client: "INVALID_CLIENT",
};

function connectDoor(name: AnyDoor["name"], transport: Transport): AnyDoor {
  return { name, call: (call) => overConnect(transport, call), close() {} };
}

async function overConnect(transport: Transport, call: AnyCall): Promise<AnyAnswer> {
  const { method, message } = call;
  try {
    const res = await transport.unary(method, undefined, undefined, headersOf(call), message);
    const headers = [...res.header, ...res.trailer];
    return heard({ code: 0, details: [], headers, content: toJson(method.output, res.message) });
  } catch (err) {
    if (!(err instanceof ConnectError) || err.details.length === 0) throw err;
    const packed = err.details.map((detail) => {
      if (!("type" in detail)) throw new Error("a detail did not come over the wire");
      return create(AnySchema, { typeUrl: `type.googleapis.com/${detail.type}`, value: detail.value });
    });
    const details = detailsOf(toBinary(StatusSchema, create(StatusSchema, { details: packed })));
    return heard({ code: err.code, details, headers: err.metadata, content: err.rawMessage });
  }
}

function grpcDoor(address: string): AnyDoor {
  const client = new Client(address, credentials.createInsecure());
  return { name: "gRPC", call: (call) => overGrpc(client, call), close: () => client.close() };
}

function overGrpc(client: Client, call: AnyCall): Promise<AnyAnswer> {
  const { method } = call;
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headersOf(call))) metadata.set(name, value);
  return new Promise((resolve, reject) => {
    let initial = new Metadata();
    const answered = (err: ServiceError | null, response?: MessageShape<DescMessage>) => {
      const headers = [...entriesOf(initial), ...entriesOf(err?.metadata)];
      if (err === null && response !== undefined) {
        resolve(heard({ code: 0, details: [], headers, content: toJson(method.output, response) }));
      } else {
        const [bytes] = err?.metadata?.get("grpc-status-details-bin") ?? [];
        if (err === null || bytes === undefined) return reject(err);
        const details = detailsOf(bytes as Buffer);
        resolve(heard({ code: err.code, details, headers, content: err.details }));
      }
    };
    client
      .makeUnaryRequest(
        `/${method.parent.typeName}/${method.name}`,
        (message: MessageShape<DescMessage>) => Buffer.from(toBinary(method.input, message)),
        (bytes: Buffer) => fromBinary(method.output, bytes),
        call.message,
        metadata,
        answered,
      )
      .on("metadata", (received: Metadata) => {
        initial = received;
      });
  });
}

const entriesOf = (metadata: Metadata | undefined): [string, string][] =>
  Object.keys(metadata?.getMap() ?? {}).flatMap((name) =>
    (metadata?.get(name) ?? []).map((value): [string, string] => [
      name,
      typeof value === "string" ? value : value.toString("hex"),
    ]),
  );
