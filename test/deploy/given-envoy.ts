import { join, resolve } from "node:path";
import type { Scope } from "../cli/keyturn-command.ts";
import { freePorts, givenFolder, placedCopy, startEdge } from "./edge-process.ts";

const DESCRIPTOR_SET = resolve("deploy/envoy/keyturn.binpb");

/** The configuration of `deploy/envoy` with another place for each of its three addresses. */
export function envoyConfiguration(folder: string, port: number, grpcPort: number | string): string {
  return placedCopy("deploy/envoy/envoy.yaml", join(folder, "envoy.yaml"), [
    ["{ address: 0.0.0.0, port_value: 8080 }", 1, `{ address: 127.0.0.1, port_value: ${port} }`],
    ["{ address: keyturn, port_value: 50051 }", 1, `{ address: 127.0.0.1, port_value: ${grpcPort} }`],
    ["/etc/envoy/keyturn.binpb", 1, DESCRIPTOR_SET],
  ]);
}

/** A real Envoy in front of a gRPC door, as `deploy/envoy` configures it. */
export async function givenEnvoy(
  scope: Scope,
  grpcAddress: string,
): Promise<{ readonly httpUrl: string; readonly grpcAddress: string }> {
  const [port = 0] = await freePorts(1);
  const file = envoyConfiguration(givenFolder(scope), port, grpcAddress.split(":")[1] ?? "");
  const httpUrl = `http://127.0.0.1:${port}`;
  // A caller without a token is answered 401 once Keyturn is there, and 503 before.
  const probe = `${httpUrl}/v1/regions/global/iam/service-accounts`;
  const args = ["-c", file, "--use-dynamic-base-id", "--concurrency", "1", "-l", "error"];
  await startEdge(scope, "envoy", args, async () => (await fetch(probe)).status === 401);
  return { httpUrl, grpcAddress: `127.0.0.1:${port}` };
}
