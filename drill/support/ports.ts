import type { ServerProcess } from "../../test/support/process.ts";

/** Variables by which a server takes the place of another one that has ended. */
export function portsOf({ grpc, http, admin }: ServerProcess["addresses"]): Record<string, string> {
  return {
    KEYTURN_GRPC_PORT: portOf(grpc),
    KEYTURN_HTTP_PORT: portOf(http),
    KEYTURN_ADMIN_PORT: portOf(admin),
  };
}

const portOf = (address: string) => address.slice(address.lastIndexOf(":") + 1);
