import { eventually } from "./eventually.ts";
import { type ServerProcess, startServer } from "./process.ts";

/** Servers in processes of their own, on one database, whose addresses outlive a restart. */
export interface Replicas {
  /** `host:port` of every gRPC door. */
  readonly grpc: readonly string[];
  readonly httpUrls: readonly string[];
  readonly processes: () => readonly ServerProcess[];
  /** SIGTERM, waits for the end, starts anew, waits until it is ready: its exit code. */
  restart(index: number): Promise<number | NodeJS.Signals>;
  stop(): Promise<void>;
}

export async function startReplicas(count: number, env: Readonly<Record<string, string>>): Promise<Replicas> {
  const processes = await Promise.all(Array.from({ length: count }, () => startServer(env)));
  await Promise.all(processes.map(ready));
  const addresses = processes.map((process) => process.addresses);
  return {
    grpc: addresses.map(({ grpc }) => grpc),
    httpUrls: addresses.map(({ http }) => `http://${http}`),
    processes: () => processes,
    async restart(index) {
      const exitCode = await (processes[index] as ServerProcess).stop();
      const { grpc = "", http = "", admin = "" } = addresses[index] ?? {};
      const started = await startServer({
        ...env,
        KEYTURN_GRPC_PORT: portOf(grpc),
        KEYTURN_HTTP_PORT: portOf(http),
        KEYTURN_ADMIN_PORT: portOf(admin),
      });
      processes[index] = started;
      await ready(started);
      return exitCode;
    },
    async stop() {
      await Promise.all(processes.map((process) => process.stop()));
    },
  };
}

const portOf = (address: string) => address.slice(address.lastIndexOf(":") + 1);

const ready = ({ addresses }: ServerProcess) =>
  eventually(async () => (await fetch(`http://${addresses.admin}/readyz`)).ok);
