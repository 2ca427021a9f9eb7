import type { Config } from "./config.ts";
import { addressOf } from "./door/address.ts";
import { openAdminDoor } from "./door/admin.ts";
import { createClientAddress } from "./door/client-address.ts";
import { openGrpcDoor } from "./door/grpc.ts";
import { type HttpDoorOptions, openHttpDoor } from "./door/http.ts";
import type { OpenDoor, OpenHttpServer } from "./door/http-server.ts";
import { opening } from "./door/opening.ts";
import { type DoorTls, openDoorTls, type TlsEvent, type TlsFiles } from "./door/tls.ts";
import type { WellKnown } from "./door/well-known.ts";
import { LIMITS } from "./limits.ts";
import type { Log } from "./observability/log.ts";
import type { Metrics } from "./observability/metrics.ts";
import type { Readiness } from "./readiness.ts";
import type { Kernel } from "./rpc/kernel.ts";

export interface DoorsParts {
  readonly config: Config;
  readonly kernel: Kernel;
  readonly metrics: Metrics;
  readonly readiness: Readiness;
  readonly wellKnown: WellKnown;
  readonly log: Log;
}

/** `host:port` of each door; of channelz where it is asked for. */
export interface Addresses {
  readonly grpc: string;
  readonly http: string;
  /** Absent in a worker. */
  readonly admin?: string;
  readonly channelz?: string;
}

/** The three doors. That of the operators opens first and closes last: a start and a drain are watched from there. */
export interface Doors {
  /** Lets callers in. */
  openToCallers(): Promise<Addresses>;
  /** Asks callers to go elsewhere with their next request, and goes on to answer. */
  windDown(): void;
  /** Accepts nothing more, lets calls in flight finish for `timeoutMs`, then cuts what is left. */
  close(timeoutMs: number): Promise<void>;
}

export async function openDoors(parts: DoorsParts): Promise<Doors> {
  const tls = await openTls(parts);
  const admin = await openAdmin(parts, tls.admin);
  const channelz = await openChannelz(parts, tls.admin).catch(async (err) => {
    await admin?.close(0);
    throw err;
  });
  let grpc: OpenDoor | undefined;
  let http: OpenHttpServer | undefined;
  return {
    async openToCallers() {
      grpc = await openGrpc(parts, tls.grpc);
      http = await openHttp(parts, tls.http);
      return {
        grpc: addressOf(grpc),
        http: addressOf(http),
        ...(admin === undefined ? {} : { admin: addressOf(admin) }),
        ...(channelz === undefined ? {} : { channelz: addressOf(channelz) }),
      };
    },
    windDown: () => http?.windDown(),
    async close(timeoutMs) {
      await Promise.all([grpc?.close(timeoutMs), http?.close(timeoutMs)]);
      await Promise.all([admin?.close(0), channelz?.close(0)]);
      for (const doorTls of Object.values(tls)) doorTls?.stop();
    },
  };
}

async function openTls(parts: DoorsParts) {
  const admin = parts.config.adminPort === undefined ? undefined : await openTlsOf("admin", parts);
  return { grpc: await openTlsOf("grpc", parts), http: await openTlsOf("http", parts), admin };
}

/** The certificate of a door, where it has one, watched and told of. */
export async function openTlsOf(
  door: keyof Config["tls"],
  { config, metrics, log }: Pick<DoorsParts, "config" | "metrics" | "log">,
): Promise<DoorTls | undefined> {
  const files: TlsFiles | undefined = config.tls[door];
  if (files === undefined) return undefined;
  return openDoorTls(files, {
    reloadMs: config.certificateReloadMs,
    onEvent: (event) => {
      metrics.certificate(door, event);
      logEvent(log, door, event);
    },
  });
}

function logEvent(log: Log, door: string, event: TlsEvent): void {
  if (event.kind === "refused") {
    log.event("error", "certificate refused, the last one stays", { door, problem: event.problem });
    return;
  }
  const { kind, problem, expiresAt } = event;
  // The first line of the log has the addresses, so nothing is said of what the doors open with, unless nobody will accept it.
  if (kind === "opened" && problem === undefined) return;
  const fields = { door, expires_at: expiresAt.toISOString(), problem };
  log.event(problem === undefined ? "info" : "warn", `certificate ${kind}`, fields);
}

function shared({ config, kernel }: DoorsParts) {
  return {
    ...LIMITS,
    kernel,
    host: config.host,
    clientAddressOf: createClientAddress(config.trustedProxies),
  };
}

/** Undefined in a worker. */
async function openAdmin(
  { config, metrics, readiness }: DoorsParts,
  tls: DoorTls | undefined,
): Promise<OpenDoor | undefined> {
  if (config.adminPort === undefined) return undefined;
  const at = { host: config.adminHost, port: config.adminPort };
  return opening("admin", at, () => openAdminDoor({ ...at, tls, metrics, readiness }));
}

/** Loaded only where it is asked for: it reads protos. */
async function openChannelz({ config }: DoorsParts, tls: DoorTls | undefined): Promise<OpenDoor | undefined> {
  if (config.channelzPort === undefined) return undefined;
  const { openChannelzDoor } = await import("./door/channelz.ts");
  const at = { host: config.adminHost, port: config.channelzPort };
  return opening("channelz", at, () => openChannelzDoor({ ...at, tls }));
}

function openGrpc(parts: DoorsParts, tls: DoorTls | undefined): Promise<OpenDoor> {
  const { config, readiness } = parts;
  const options = {
    ...shared(parts),
    onUnrouted: unroutedAt("grpc", parts),
    port: config.grpcPort,
    tls,
    reflection: config.reflection,
    channelz: config.channelzPort !== undefined,
    readiness,
  };
  return opening("grpc", options, () => openGrpcDoor(options));
}

function openHttp(parts: DoorsParts, tls: DoorTls | undefined): Promise<OpenHttpServer> {
  const { config, wellKnown, metrics, log } = parts;
  const { clientAddressOf, ...limits } = shared(parts);
  const options: HttpDoorOptions = {
    ...limits,
    clientAddressOf,
    port: config.httpPort,
    tls,
    wellKnown,
    apiReference: config.apiReference,
    onDefect: (err) => log.failed({ part: "HTTP door" }, err),
    onUnrouted: unroutedAt("http", parts),
    onDocument({ path, httpStatus, requestId, durationMs }, { socket, headersDistinct }) {
      metrics.documentServed(path);
      log.event("info", "document", {
        request_id: requestId,
        door: "http",
        path,
        http_status: httpStatus,
        duration_ms: Math.round(durationMs * 1000) / 1000,
        client_address: clientAddressOf(socket.remoteAddress, headersDistinct["x-forwarded-for"]?.join(", ")),
      });
    },
  };
  return opening("http", options, () => openHttpDoor(options));
}

const unroutedAt =
  (door: string, { metrics, log }: DoorsParts) =>
  (reason: string, requestId: string | undefined) => {
    metrics.unrouted(reason);
    log.event("debug", "request that is no call", { request_id: requestId, door, reason });
  };
