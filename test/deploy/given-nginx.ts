import { join } from "node:path";
import type { Scope } from "../cli/keyturn-command.ts";
import { freePorts, givenFolder, placedCopy, startEdge } from "./edge-process.ts";

export interface NginxPlaces {
  readonly folder: string;
  readonly httpPort: number;
  readonly grpcPort: number;
  /** `host:port` of the doors behind it. */
  readonly upstream: { readonly http: string; readonly grpc: string };
}

/** The configuration of `deploy/nginx` with other ports, another upstream and another folder to write to. */
export function nginxConfiguration({ folder, httpPort, grpcPort, upstream }: NginxPlaces): string {
  return placedCopy("deploy/nginx/nginx.conf", join(folder, "nginx.conf"), [
    ["listen 8080;", 1, `listen 127.0.0.1:${httpPort};`],
    ["listen 50051 ", 1, `listen 127.0.0.1:${grpcPort} `],
    ["server keyturn:8080;", 1, `server ${upstream.http};`],
    ["server keyturn:50051;", 1, `server ${upstream.grpc};`],
    // Started by root, its workers run as another user, who may not enter the folder of the test.
    ["worker_processes auto;", 1, `worker_processes 1;${process.getuid?.() === 0 ? " user root;" : ""}`],
    ["/tmp/", 6, `${folder}/`],
    // It cannot be opened where it is a pipe of Node's.
    ["/dev/stdout", 1, `${folder}/calls.log`],
  ]);
}

/** A real nginx in front of both doors, as `deploy/nginx` configures it. */
export async function givenNginx(
  scope: Scope,
  upstream: NginxPlaces["upstream"],
): Promise<{ readonly httpUrl: string; readonly grpcAddress: string; readonly log: string }> {
  const [httpPort = 0, grpcPort = 0] = await freePorts(2);
  const folder = givenFolder(scope);
  const file = nginxConfiguration({ folder, httpPort, grpcPort, upstream });
  const httpUrl = `http://127.0.0.1:${httpPort}`;
  await startEdge(scope, "nginx", ["-c", file, "-g", "daemon off;"], async () => {
    await fetch(httpUrl);
    return true;
  });
  return { httpUrl, grpcAddress: `127.0.0.1:${grpcPort}`, log: join(folder, "calls.log") };
}
