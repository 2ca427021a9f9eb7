import { type ChannelCredentials, Client, credentials } from "@grpc/grpc-js";
import { service } from "grpc-health-check";
import { eventually } from "./eventually.ts";

export interface HealthClient {
  /** The status of a service in its own word, or the error. */
  check(service: string): Promise<string>;
  list(): Promise<Readonly<Record<string, string>>>;
  /** Watches a service. */
  watch(service: string): Watch;
  close(): void;
}

export interface Watch {
  /** What has been heard so far, oldest first. */
  readonly statuses: readonly string[];
  /** Resolves when that is all, to the code of the end. */
  readonly ended: Promise<number>;
  /** Waits until `count` statuses have come. */
  heard(count: number): Promise<readonly string[]>;
}

/** `grpc.health.v1`, by the definition that its package publishes. */
export function healthClient(
  address: string,
  secure: ChannelCredentials = credentials.createInsecure(),
): HealthClient {
  const client = new Client(address, secure);
  const { Check, List, Watch } = service as unknown as Record<string, Definition>;
  const unary = <T>(method: Definition | undefined, request: object): Promise<T> => {
    const { path, requestSerialize, responseDeserialize } = method as Definition;
    return new Promise((resolve, reject) =>
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, request, (err, answer) =>
        err === null ? resolve(answer as T) : reject(err),
      ),
    );
  };
  return {
    check: async (name) => (await unary<{ status: string }>(Check, { service: name })).status,
    async list() {
      const { statuses } = await unary<{ statuses: Record<string, { status: string }> }>(List, {});
      return Object.fromEntries(Object.entries(statuses).map(([name, { status }]) => [name, status]));
    },
    watch(name) {
      const { path, requestSerialize, responseDeserialize } = Watch as Definition;
      const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, {
        service: name,
      });
      const statuses: string[] = [];
      call.on("data", ({ status }: { status: string }) => statuses.push(status));
      const ended = new Promise<number>((resolve) => {
        call.on("error", (err: { code?: number }) => resolve(err.code ?? -1));
        call.on("end", () => resolve(0));
      });
      return {
        statuses,
        ended,
        heard: (count) => eventually(() => (statuses.length >= count ? statuses : undefined)),
      };
    },
    close: () => client.close(),
  };
}

interface Definition {
  readonly path: string;
  readonly requestSerialize: (value: object) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => unknown;
}
