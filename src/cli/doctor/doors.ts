import { createServer } from "node:net";
import type { Settings } from "../../config-schema.ts";
import { type Finding, ok, warning, wrong } from "./finding.ts";
import { runningServer } from "./running-server.ts";

interface Door {
  readonly variable: string;
  readonly hostVariable: "KEYTURN_HOST" | "KEYTURN_ADMIN_HOST";
  readonly host: string;
  readonly port: number;
}

const PRIVILEGED_PORT_MAX = 1023;

/** Whether the doors can be opened here, and who could come in. */
export async function examineDoors(settings: Partial<Settings>): Promise<Finding[]> {
  const doors = doorsOf(settings);
  const adminHost = settings.KEYTURN_ADMIN_HOST;
  const admin = doors.find(({ variable }) => variable === "KEYTURN_ADMIN_PORT");
  const running = admin === undefined ? undefined : await runningServer(admin, settings);
  return [
    ...sharedPorts(doors),
    ...doors.filter(({ port }) => port > 0 && port <= PRIVILEGED_PORT_MAX).map(privileged),
    ...(adminHost === undefined || isLoopback(adminHost) ? [] : [openAdmin(adminHost)]),
    ...(running ?? (await bindings(doors))),
  ];
}

function doorsOf(settings: Partial<Settings>): Door[] {
  const callers = { hostVariable: "KEYTURN_HOST", host: settings.KEYTURN_HOST } as const;
  const operators = { hostVariable: "KEYTURN_ADMIN_HOST", host: settings.KEYTURN_ADMIN_HOST } as const;
  return [
    { ...callers, variable: "KEYTURN_GRPC_PORT", port: settings.KEYTURN_GRPC_PORT },
    { ...callers, variable: "KEYTURN_HTTP_PORT", port: settings.KEYTURN_HTTP_PORT },
    { ...operators, variable: "KEYTURN_ADMIN_PORT", port: settings.KEYTURN_ADMIN_PORT },
    { ...operators, variable: "KEYTURN_CHANNELZ_PORT", port: settings.KEYTURN_CHANNELZ_PORT },
  ].filter((door): door is Door => door.port !== undefined && door.host !== undefined);
}

/** One after the other, so that two doors of one port are not told that somebody else has it. */
async function bindings(doors: readonly Door[]): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const door of doors) findings.push(await binding(door));
  return findings;
}

function sharedPorts(doors: readonly Door[]): Finding[] {
  return doors.flatMap(({ variable, port }, index) => {
    const other = doors.slice(0, index).find((earlier) => port > 0 && earlier.port === port);
    if (other === undefined) return [];
    return [
      wrong(
        "ports_shared",
        variable,
        `is ${port}, as ${other.variable} is`,
        "give each door a port of its own",
      ),
    ];
  });
}

const privileged = ({ variable, port }: Door): Finding =>
  warning(
    "port_privileged",
    variable,
    `${port} can be opened only by root or with CAP_NET_BIND_SERVICE`,
    "take a port above 1023 and let a proxy or a Service map it",
  );

const openAdmin = (host: string): Finding =>
  warning(
    "admin_door_public",
    "KEYTURN_ADMIN_HOST",
    `${host} can be reached from elsewhere, and the admin door has no authentication`,
    "take 127.0.0.1, or let a firewall or NetworkPolicy admit probes and metrics alone",
  );

const isLoopback = (host: string): boolean => /^(localhost|::1|\[::1\]|127(\.\d{1,3}){3})$/.test(host);

/** Opens the port for a moment. */
async function binding({ variable, hostVariable, host, port }: Door): Promise<Finding> {
  const server = createServer();
  const failure = await new Promise<string | undefined>((resolve) => {
    server.once("error", (err: NodeJS.ErrnoException) => resolve(err.code ?? "?"));
    server.listen({ host: host.replace(/^\[|\]$/g, ""), port, exclusive: true }, () => resolve(undefined));
  });
  await new Promise((resolve) => server.close(resolve));
  const where = `${host}:${port}`;
  switch (failure) {
    case undefined:
      return ok("port", variable, port === 0 ? "takes a free port" : `${where} can be opened`);
    case "EADDRINUSE":
      return wrong(
        "port_in_use",
        variable,
        `something listens at ${where} already`,
        "end it, unless it is the server that this is about, or take another port",
      );
    case "EACCES":
      return wrong("port_denied", variable, `this user may not open ${where}`, "take a port above 1023");
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
      return wrong(
        "host_foreign",
        variable,
        `${host} is no address of this machine`,
        `set ${hostVariable} to one, such as ${hostVariable === "KEYTURN_HOST" ? "0.0.0.0" : "127.0.0.1"}`,
      );
    default:
      return wrong("port", variable, `${where} cannot be opened (${failure})`);
  }
}
