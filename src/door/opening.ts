import { addressOf } from "./address.ts";

const DOORS = {
  grpc: { name: "gRPC door", host: "KEYTURN_HOST", port: "KEYTURN_GRPC_PORT" },
  http: { name: "HTTP door", host: "KEYTURN_HOST", port: "KEYTURN_HTTP_PORT" },
  admin: { name: "admin door", host: "KEYTURN_ADMIN_HOST", port: "KEYTURN_ADMIN_PORT" },
  channelz: { name: "door of channelz", host: "KEYTURN_ADMIN_HOST", port: "KEYTURN_CHANNELZ_PORT" },
} as const;

/**
 * Opens a door.
 * @throws when the system refuses: which door it is, its variable, and the system's code. Other errors as they are.
 */
export async function opening<T>(
  door: keyof typeof DOORS,
  at: { readonly host: string; readonly port: number },
  open: () => Promise<T>,
): Promise<T> {
  try {
    return await open();
  } catch (err) {
    const { code } = err as NodeJS.ErrnoException;
    const { name, host, port } = DOORS[door];
    const why = code === undefined ? undefined : reasonOf(code, host, port);
    if (why === undefined) throw err;
    throw new Error(`the ${name} cannot be opened at ${addressOf(at)}: ${why} (${code})`, { cause: err });
  }
}

function reasonOf(code: string, host: string, port: string): string | undefined {
  switch (code) {
    case "EADDRINUSE":
      return `something listens there already, see ${port}`;
    case "EACCES":
      return `this user may not, see ${port}`;
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return `it is no address of this machine, see ${host}`;
    default:
      return undefined;
  }
}
