import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DoorTls, openDoorTls, type TlsEvent, type TlsFiles } from "../../src/door/tls.ts";
import { type Authority, givenAuthority, type Leaf } from "./authority.ts";

/** TLS of a door from files of the test's own, which are looked at all the time. */
export interface GivenTls {
  readonly tls: DoorTls;
  readonly files: TlsFiles;
  /** Signs the certificates of servers. */
  readonly servers: Authority;
  /** Signs those of clients. */
  readonly clients: Authority;
  /** What was told so far. */
  readonly events: readonly TlsEvent[];
  /** Writes new files. */
  write(files: Partial<Leaf & { readonly ca: string }>): void;
  stop(): void;
}

const RELOAD_MS = 20;

export async function givenTls(
  clientCertificate: "none" | "optional" | "required" = "none",
  now = Date.now,
): Promise<GivenTls> {
  const folder = mkdtempSync(join(tmpdir(), "keyturn-tls-"));
  const at = (name: string) => join(folder, name);
  const [servers, clients] = [givenAuthority("servers"), givenAuthority("clients")];
  const write: GivenTls["write"] = ({ cert, key, ca }) => {
    if (key !== undefined) writeFileSync(at("key"), key);
    if (cert !== undefined) writeFileSync(at("cert"), cert);
    if (ca !== undefined) writeFileSync(at("ca"), ca);
  };
  write({ ...servers.issue(), ca: clients.cert });
  const files = {
    certFile: at("cert"),
    keyFile: at("key"),
    clientCaFile: clientCertificate === "none" ? undefined : at("ca"),
    clientCertificateRequired: clientCertificate === "required",
  };
  const events: TlsEvent[] = [];
  const tls = await openDoorTls(files, {
    reloadMs: RELOAD_MS,
    onEvent: (event) => events.push(event),
    now,
  });
  return {
    tls,
    files,
    servers,
    clients,
    events,
    write,
    stop() {
      tls.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
