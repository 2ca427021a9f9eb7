import { type CertificateCaller, createCertificateCallers } from "../../src/auth/certificate-callers.ts";
import { unauthenticated } from "../../src/domain/fault.ts";
import { createClientAddress } from "../../src/door/client-address.ts";
import { openGrpcDoor } from "../../src/door/grpc.ts";
import { type HttpDoorOptions, openHttpDoor } from "../../src/door/http.ts";
import type { OpenDoor } from "../../src/door/http-server.ts";
import type { DoorTls } from "../../src/door/tls.ts";
import { createLog } from "../../src/observability/log.ts";
import { createMetrics } from "../../src/observability/metrics.ts";
import type { Call, DeadlineLimits } from "../../src/rpc/call.ts";
import { createKernel, type Handlers, type KernelOptions } from "../../src/rpc/kernel.ts";
import { SERVICES } from "../../src/rpc/services.ts";

export type CreateHandler = Handlers<"CredentialService">["createCredential"];

export interface GivenDoorsOptions {
  /** What a create does; default: it succeeds with no fields. */
  readonly createCredential?: CreateHandler;
  readonly deadlines?: DeadlineLimits;
  readonly concurrentStreamsMax?: number;
  readonly httpTimeouts?: HttpDoorOptions["timeouts"];
  /** How long a connection of gRPC that its client leaves may be silent. */
  readonly silenceMsMax?: number;
  /** Default: in clear. */
  readonly tls?: DoorTls;
  /** By a name in the client's certificate. */
  readonly certificateCallers?: ReadonlyMap<string, CertificateCaller>;
  /** Default: none is named to the doors. */
  readonly trustedProxies?: readonly string[];
}

/** The doors and the kernel with a handler of the test's own: no database, no hashing. The token is "good". */
export interface GivenDoors {
  readonly httpUrl: string;
  readonly grpcAddress: string;
  readonly http: OpenDoor;
  readonly grpc: OpenDoor;
  /** The call of every create whose handler ran, oldest first. */
  readonly calls: readonly Call[];
  /** Resolves when the handler runs for the next time. */
  nextCall(): Promise<Call>;
  /** All that was logged so far. */
  log(): string;
  /** What no call could be blamed for. */
  readonly defects: readonly unknown[];
  stop(): Promise<void>;
}

export const GOOD_TOKEN = "good";

export async function givenDoors(options: GivenDoorsOptions = {}): Promise<GivenDoors> {
  const calls: Call[] = [];
  const lines: string[] = [];
  const defects: unknown[] = [];
  let next = Promise.withResolvers<Call>();
  const createCredential: CreateHandler = async (req, call) => {
    calls.push(call);
    next.resolve(call);
    next = Promise.withResolvers();
    return (await options.createCredential?.(req, call)) ?? {};
  };
  const kernel = createKernel({
    handlers: withRefusals({ createCredential }),
    verifyToken: async (token) => {
      if (token !== GOOD_TOKEN) throw unauthenticated("malformed");
      return {
        issuer: "test",
        subject: "test",
        organizationId: "test",
        roles: ["admin"],
        expiresAtMs: Number.MAX_SAFE_INTEGER,
      };
    },
    callerOfCertificate: createCertificateCallers(options.certificateCallers ?? new Map(), Date.now),
    roles: {
      administratorRoles: ["admin"],
      organizationAdministratorRoles: ["admin"],
      verifierRoles: ["verifier"],
      platformVerifierRoles: ["platform-verifier"],
    },
    recordRefusal: async () => {},
    deadlines: options.deadlines ?? { defaultDeadlineMs: 10_000, deadlineMsMax: 30_000 },
    log: createLog("trace", { write: (line) => void lines.push(line) }),
    metrics: createMetrics(),
  });
  const { trustedProxies } = options;
  const limits = {
    kernel,
    host: "127.0.0.1",
    port: 0,
    tls: options.tls,
    messageBytesMax: 64 * 1024,
    ...(trustedProxies === undefined ? {} : { clientAddressOf: createClientAddress(trustedProxies) }),
  };
  const grpc = await openGrpcDoor({
    ...limits,
    headerBytesMax: 16 * 1024,
    concurrentStreamsMax: options.concurrentStreamsMax ?? 100,
    silenceMsMax: options.silenceMsMax,
    reflection: false,
  });
  const http = await openHttpDoor({
    ...limits,
    headerBytesMax: 16 * 1024,
    onUnrouted: () => {},
    onDefect: (err) => void defects.push(err),
    ...(options.httpTimeouts === undefined ? {} : { timeouts: options.httpTimeouts }),
  });
  return {
    httpUrl: `${options.tls === undefined ? "http" : "https"}://127.0.0.1:${http.port}`,
    grpcAddress: `127.0.0.1:${grpc.port}`,
    http,
    grpc,
    calls,
    nextCall: () => next.promise,
    log: () => lines.join(""),
    defects,
    async stop() {
      await Promise.all([http.close(0), grpc.close(0)]);
    },
  };
}

/** The handlers of the test's own; every other RPC fails like one that was never written. */
function withRefusals(given: object): KernelOptions["handlers"] {
  const services = Object.entries(SERVICES).map(([name, { method }]) => {
    const unwritten = Object.keys(method).map((rpc) => [rpc, () => Promise.reject(new Error("no handler"))]);
    return [name, { ...Object.fromEntries(unwritten), ...(name === "CredentialService" ? given : {}) }];
  });
  return Object.fromEntries(services);
}
