import { create, createRegistry, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { AnySchema, anyUnpack } from "@bufbuild/protobuf/wkt";
import { type Client, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import {
  type CallOptions,
  credentials,
  Client as GrpcClient,
  Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import {
  CreateCredentialRequestSchema,
  type CreateCredentialResponse,
  CreateCredentialResponseSchema,
  CredentialService,
} from "../../gen/keyturn/v1/credential_service_pb.ts";
import type { TestKeyturn } from "./keyturn.ts";

/** A REST answer: status, headers, and the body as JSON (or as text when it is none). */
export interface RestAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever came back
  readonly body: any;
}

export async function rest(
  keyturn: Pick<TestKeyturn, "httpUrl">,
  path: string,
  init: RequestInit & { readonly token?: string } = {},
): Promise<RestAnswer> {
  const headers = new Headers(init.headers);
  if (init.token !== undefined) headers.set("authorization", `Bearer ${init.token}`);
  const res = await fetch(keyturn.httpUrl + path, { ...init, headers });
  const text = await res.text();
  return { status: res.status, headers: res.headers, text, body: parse(text) };
}

export const credentialsPath = (accountId: string): string =>
  `/v1/regions/global/iam/service-accounts/${accountId}/credentials`;

/** POST to the credentials of an account, as the seed's curl does it. */
export function restCreate(
  keyturn: Pick<TestKeyturn, "httpUrl">,
  accountId: string,
  token: string | undefined,
  body: unknown = {},
): Promise<RestAnswer> {
  return rest(keyturn, credentialsPath(accountId), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: typeof body === "string" ? body : JSON.stringify(body),
    ...(token === undefined ? {} : { token }),
  });
}

export function connectClient(
  keyturn: Pick<TestKeyturn, "httpUrl">,
  protocol: "connect-json" | "connect-proto" | "grpc-web",
): Client<typeof CredentialService> {
  const options = { baseUrl: keyturn.httpUrl, httpVersion: "1.1" as const };
  const transport =
    protocol === "grpc-web"
      ? createGrpcWebTransport(options)
      : createConnectTransport({ ...options, useBinaryFormat: protocol === "connect-proto" });
  return createClient(CredentialService, transport);
}

/** What a gRPC call failed with: code by number, and the details unpacked. */
export interface GrpcFailure {
  readonly code: number;
  readonly message: string;
  readonly reason: string | undefined;
  readonly metadata: Readonly<Record<string, string>>;
  readonly details: readonly { readonly $typeName: string }[];
}

export interface GrpcClientUnderTest {
  createCredential(
    req: MessageInitShape<typeof CreateCredentialRequestSchema>,
    options?: { readonly token?: string; readonly metadata?: Metadata; readonly call?: Partial<CallOptions> },
  ): Promise<CreateCredentialResponse>;
  close(): void;
}

/** A client of grpc-js itself, with nothing of the server's code but the generated messages. */
export function grpcClient(address: string): GrpcClientUnderTest {
  const client = new GrpcClient(address, credentials.createInsecure());
  return {
    createCredential: (req, options = {}) =>
      new Promise((resolve, reject) => {
        const metadata = options.metadata ?? new Metadata();
        if (options.token !== undefined) metadata.set("authorization", `Bearer ${options.token}`);
        client.makeUnaryRequest(
          "/keyturn.v1.CredentialService/CreateCredential",
          (message: MessageInitShape<typeof CreateCredentialRequestSchema>) =>
            Buffer.from(
              toBinary(CreateCredentialRequestSchema, create(CreateCredentialRequestSchema, message)),
            ),
          (bytes: Buffer) => fromBinary(CreateCredentialResponseSchema, bytes),
          req,
          metadata,
          options.call ?? {},
          (err, response) => (err === null && response !== undefined ? resolve(response) : reject(err)),
        );
      }),
    close: () => client.close(),
  };
}

const registry = createRegistry(file_google_rpc_error_details);

/** Awaits the failure of a gRPC call and takes it apart. */
export async function grpcFailure(call: Promise<unknown>): Promise<GrpcFailure> {
  try {
    await call;
  } catch (err) {
    const { code, details: message, metadata } = err as ServiceError;
    const [bytes] = metadata.get("grpc-status-details-bin");
    const status = bytes === undefined ? undefined : fromBinary(StatusSchema, bytes as Buffer);
    const details = (status?.details ?? [])
      .map((any) => anyUnpack(create(AnySchema, any), registry))
      .filter((d) => d !== undefined);
    const info = details.find((d) => d.$typeName === "google.rpc.ErrorInfo") as
      | { readonly reason: string; readonly metadata: Record<string, string> }
      | undefined;
    return { code, message, reason: info?.reason, metadata: info?.metadata ?? {}, details };
  }
  throw new Error("the call succeeded");
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
