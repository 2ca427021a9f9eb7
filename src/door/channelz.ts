import { getChannelzHandlers, getChannelzServiceDefinition, Server } from "@grpc/grpc-js";
import { bindGrpc } from "./grpc-listener.ts";
import type { OpenDoor } from "./http-server.ts";
import type { DoorTls } from "./tls.ts";

export interface ChannelzDoorOptions {
  readonly host: string;
  readonly port: number;
  /** Absent: in clear. */
  readonly tls?: DoorTls | undefined;
}

/**
 * `grpc.channelz.v1` for operators: which connections the gRPC door has, and how many calls each of them has had. It knows
 * no caller and shows who is connected, so it is beside the admin door and as closed as that (docs/adr/0021).
 */
export async function openChannelzDoor({ host, port, tls }: ChannelzDoorOptions): Promise<OpenDoor> {
  // It keeps no books of its own.
  const server = new Server({ "grpc.enable_channelz": 0 });
  server.addService(getChannelzServiceDefinition(), getChannelzHandlers());
  const bound = await bindGrpc(server, host, port, tls);
  return {
    host,
    port: bound,
    async close() {
      server.forceShutdown();
    },
  };
}
