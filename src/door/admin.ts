import type { Metrics } from "../observability/metrics.ts";
import { type HttpTimeouts, type OpenDoor, openHttpServer } from "./http-server.ts";
import type { DoorTls } from "./tls.ts";

export interface AdminDoorOptions {
  readonly host: string;
  readonly port: number;
  /** Absent: in clear. */
  readonly tls?: DoorTls | undefined;
  readonly metrics: Pick<Metrics, "expose">;
  readonly readiness: {
    /** What keeps the service from taking calls, in one word each; empty when it is ready. */
    unreadyParts(): readonly string[] | Promise<readonly string[]>;
  };
}

const HEADER_BYTES_MAX = 16 * 1024;
const TIMEOUTS: HttpTimeouts = {
  headersMsMax: 5_000,
  requestMsMax: 5_000,
  idleMsMax: 65_000,
  checkIntervalMs: 2_000,
};

/**
 * The operators' door: `/metrics`, `/livez`, `/readyz`. It has no authentication, so it is bound to loopback unless the
 * operator says otherwise, and carries nothing of a tenant.
 */
export async function openAdminDoor(options: AdminDoorOptions): Promise<OpenDoor> {
  const routes: Record<string, () => Promise<{ status: number; text: string; contentType: string }>> = {
    "/livez": async () => plain(200, "ok"),
    "/readyz": async () => {
      const unready = await options.readiness.unreadyParts();
      return unready.length === 0 ? plain(200, "ok") : plain(503, `not ready: ${unready.join(", ")}`);
    },
    "/metrics": async () => ({ status: 200, ...(await options.metrics.expose()) }),
  };
  return openHttpServer({
    host: options.host,
    port: options.port,
    tls: options.tls,
    headerBytesMax: HEADER_BYTES_MAX,
    timeouts: TIMEOUTS,
    async onRequest(req, res) {
      const [path = ""] = (req.url ?? "").split("?", 1);
      const route = req.method === "GET" || req.method === "HEAD" ? routes[path] : undefined;
      const answer =
        route === undefined ? plain(404, "not found") : await route().catch(() => plain(500, "failed"));
      res.writeHead(answer.status, { "content-type": answer.contentType, "cache-control": "no-store" });
      res.end(answer.text);
    },
    refusal: () => ({ httpStatus: 400, contentType: "text/plain; charset=utf-8", text: "bad request\n" }),
  });
}

function plain(status: number, text: string): { status: number; text: string; contentType: string } {
  return { status, text: `${text}\n`, contentType: "text/plain; charset=utf-8" };
}
