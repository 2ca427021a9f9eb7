import { UsageError } from "./exit-code.ts";

/** Names that gRPC resolves in ways of its own. */
const OTHER_SCHEME = /^(unix|unix-abstract|ipv4|ipv6|xds):/;
/** What dns:///host:port has before the host, an authority to ask included. */
const DNS = /^dns:(\/\/[^/]*\/)?/;
const HOST_AND_PORT = /^(?:\[[\da-f:.]+(?:%\w+)?\]|[\w.-]+):(\d{1,5})$/i;
const PORT_MAX = 65_535;

/**
 * The address as it was given, once it plainly is one: gRPC takes nearly everything for a name to resolve, and 443 for a port
 * that is missing. @throws UsageError
 */
export function serviceAddress(text: string): string {
  if (OTHER_SCHEME.test(text)) return text;
  const [, port] = HOST_AND_PORT.exec(text.replace(DNS, "")) ?? [];
  if (port !== undefined && Number(port) >= 1 && Number(port) <= PORT_MAX) return text;
  const why = text.replace(DNS, "").includes("://") ? ", without a scheme" : "";
  throw new UsageError(
    `${JSON.stringify(text)} is no address: it takes host:port${why}, such as 127.0.0.1:50051`,
  );
}
