import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type ChannelOptions,
  Client,
  credentials,
  Metadata as GrpcMetadata,
  type Metadata,
  type ServiceError,
} from "@grpc/grpc-js";
import {
  CreateCredentialRequestSchema,
  type CreateCredentialResponse,
  CreateCredentialResponseSchema,
} from "../../gen/keyturn/v1/credential_service_pb.ts";
import { type GrpcFailure, grpcFailure } from "./clients.ts";

/** What became of a create: its answer, or what it failed with. */
export type Outcome =
  | { readonly kind: "created"; readonly created: CreateCredentialResponse }
  | { readonly kind: "refused"; readonly failure: GrpcFailure };

/** Many callers of one server, spread over connections of their own. */
export interface Callers {
  /** One create. Never rejects; goes over the connections in turn. */
  create(accountId: string, token: string, options?: CreateOptions): Promise<Outcome>;
  close(): void;
}

export interface CreateOptions {
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

export function openCallers(address: string, connections = 1): Callers {
  // Without a pool of its own, each channel would share the one connection of the first.
  const options: ChannelOptions = { "grpc.use_local_subchannel_pool": 1 };
  const clients = Array.from(
    { length: connections },
    () => new Client(address, credentials.createInsecure(), options),
  );
  let turn = 0;
  return {
    async create(accountId, token, createOptions = {}) {
      const client = clients[turn++ % clients.length] as Client;
      const answer = createOver(client, accountId, withToken(token), createOptions);
      try {
        return { kind: "created", created: await answer };
      } catch {
        return { kind: "refused", failure: await grpcFailure(answer) };
      }
    },
    close: () => {
      for (const client of clients) client.close();
    },
  };
}

function createOver(
  client: Client,
  serviceAccountId: string,
  metadata: Metadata,
  { timeoutMs, signal }: CreateOptions,
): Promise<CreateCredentialResponse> {
  return new Promise((resolve, reject) => {
    const call = client.makeUnaryRequest(
      "/keyturn.v1.CredentialService/CreateCredential",
      (id: string) =>
        Buffer.from(
          toBinary(
            CreateCredentialRequestSchema,
            create(CreateCredentialRequestSchema, { serviceAccountId: id }),
          ),
        ),
      (bytes: Buffer) => fromBinary(CreateCredentialResponseSchema, bytes),
      serviceAccountId,
      metadata,
      timeoutMs === undefined ? {} : { deadline: Date.now() + timeoutMs },
      (err: ServiceError | null, response) =>
        err === null && response !== undefined ? resolve(response) : reject(err),
    );
    signal?.addEventListener("abort", () => call.cancel(), { once: true });
  });
}

function withToken(token: string): Metadata {
  const metadata = new GrpcMetadata();
  metadata.set("authorization", `Bearer ${token}`);
  return metadata;
}
