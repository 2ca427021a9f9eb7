import {
  create,
  type DescMessage,
  type DescMethodUnary,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import serviceConfig from "../../service_config.json" with { type: "json" };
import { toKeyturnError } from "./call-error.ts";

/** Where the service is, and how callers prove who they are. */
export interface ChannelOptions {
  /** `host:port` of the gRPC door, or any name that gRPC resolves, such as `dns:///keyturn:50051`. */
  readonly address: string;
  /** Default: the roots that Node trusts, and no certificate of the client's own. */
  readonly tls?: TlsOptions;
  /** Sends everything in clear. Default: for a loopback address without `tls` only. */
  readonly plaintext?: boolean;
  /** Bearer token of each call; a function is asked each time. White space around it is left out. Default: none. */
  readonly token?: string | (() => string | Promise<string>);
  /** Milliseconds that a call may take, its retries included. Default 10,000. */
  readonly timeoutMs?: number;
}

/** PEM texts. */
export interface TlsOptions {
  /** Authorities to trust, instead of Node's own. */
  readonly ca?: string | Buffer;
  /** Certificate and key of the client, for mTLS: both or neither. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** The name that the server's certificate must have, where it is not the address's. */
  readonly serverName?: string;
}

export interface CallOptions {
  /** Ends the call; it rejects with the signal's reason. What was asked for may have taken effect. */
  readonly signal?: AbortSignal | undefined;
  readonly timeoutMs?: number | undefined;
  /** Leaves the bearer token out, for calls in which something else says who calls. */
  readonly isAnonymous?: boolean;
}

/** A connection to the service, made at the first call and again whenever it is lost. */
export interface Channel {
  /** @throws KeyturnError, the signal's reason, or a TypeError for a token that cannot be sent. */
  call<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
    options?: CallOptions,
  ): Promise<MessageShape<O>>;
  close(): void;
}

const TIMEOUT_MS = 10_000;

/** Opens nothing yet. Calls are retried as the published service config says. @throws TypeError for half of a key pair. */
export function openChannel(options: ChannelOptions): Channel {
  const client = new Client(options.address, credentialsOf(options), {
    "grpc.service_config": JSON.stringify(withoutTimeouts(serviceConfig)),
    "grpc.service_config_disable_resolution": 1,
    ...(options.tls?.serverName === undefined
      ? {}
      : { "grpc.ssl_target_name_override": options.tls.serverName }),
  });
  return {
    async call(method, request, callOptions = {}) {
      const { signal, timeoutMs = options.timeoutMs ?? TIMEOUT_MS, isAnonymous } = callOptions;
      signal?.throwIfAborted();
      const deadline = Date.now() + timeoutMs;
      const metadata = await metadataOf(isAnonymous ? undefined : options.token);
      signal?.throwIfAborted();
      return unary(client, method, create(method.input, request), { metadata, deadline, signal });
    },
    close: () => client.close(),
  };
}

/** Every call has a deadline of its own here, which the published one, for clients without, would cut short. */
function withoutTimeouts(config: typeof serviceConfig): object {
  const methodConfig = config.methodConfig.map(({ timeout: _, ...rest }) => rest);
  return { ...config, methodConfig };
}

/** Whether only this machine can hear what is sent there. */
export function isLoopback(address: string): boolean {
  const host = address.replace(/^(dns|ipv4|ipv6):(\/\/\/)?/, "").replace(/:\d+$/, "");
  return /^(localhost|\[::1\]|::1|127(\.\d{1,3}){3})$/.test(host) || /^unix(-abstract)?:/.test(address);
}

function credentialsOf({ address, tls, plaintext }: ChannelOptions): ChannelCredentials {
  if (plaintext ?? (tls === undefined && isLoopback(address))) {
    if (tls !== undefined) throw new TypeError("plaintext and tls exclude each other");
    return credentials.createInsecure();
  }
  const { ca, cert, key } = tls ?? {};
  if ((cert === undefined) !== (key === undefined)) {
    throw new TypeError("a client's certificate and its key go together");
  }
  const pem = (text: string | Buffer | undefined) => (text === undefined ? null : Buffer.from(text));
  return credentials.createSsl(pem(ca), pem(key), pem(cert));
}

/** Whether this can be sent as a bearer token: a header holds no line end, and no token has a space. */
export const isBearerToken = (text: string): boolean => /^[\x21-\x7e]+$/.test(text);

async function metadataOf(token: ChannelOptions["token"]): Promise<Metadata> {
  const metadata = new Metadata();
  const bearer = (typeof token === "function" ? await token() : token)?.trim();
  if (bearer === undefined) return metadata;
  // gRPC would refuse it too, and quote it.
  if (!isBearerToken(bearer))
    throw new TypeError("the bearer token is empty or has a character that no token has");
  metadata.set("authorization", `Bearer ${bearer}`);
  return metadata;
}

function unary<I extends DescMessage, O extends DescMessage>(
  client: Client,
  method: DescMethodUnary<I, O>,
  request: MessageShape<I>,
  call: { readonly metadata: Metadata; readonly deadline: number; readonly signal: AbortSignal | undefined },
): Promise<MessageShape<O>> {
  const { metadata, deadline, signal } = call;
  return new Promise((resolve, reject) => {
    const cancel = () => {
      running.cancel();
      reject(signal?.reason);
    };
    const running = client.makeUnaryRequest(
      `/${method.parent.typeName}/${method.name}`,
      (message: MessageShape<I>) => Buffer.from(toBinary(method.input, message)),
      (bytes: Buffer) => fromBinary(method.output, bytes),
      request,
      metadata,
      { deadline },
      (err: ServiceError | null, response) => {
        signal?.removeEventListener("abort", cancel);
        if (err === null && response !== undefined) resolve(response);
        else reject(err === null ? new TypeError("an answer without a message") : toKeyturnError(err));
      },
    );
    signal?.addEventListener("abort", cancel, { once: true });
  });
}
