import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { createSecureContext } from "node:tls";

/** Where a door finds what it needs for TLS: files in PEM. */
export interface TlsFiles {
  /** The server's certificate and those between it and its root. */
  readonly certFile: string;
  readonly keyFile: string;
  /** The roots of clients' certificates. Absent: no client is asked for one. */
  readonly clientCaFile: string | undefined;
  /** Whether a client without a certificate gets no connection. */
  readonly clientCertificateRequired: boolean;
}

/** The files' content. */
export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly ca: string | undefined;
}

/** TLS of one door. */
export interface DoorTls {
  current(): TlsMaterial;
  /** Calls back with each new content, and whether the roots of clients have changed. */
  watch(listener: (material: TlsMaterial, isClientCaNew: boolean) => void): void;
  readonly clientCertificate: "none" | "optional" | "required";
  stop(): void;
}

export type TlsEvent =
  | { readonly kind: "opened" | "loaded"; readonly expiresAt: Date }
  /** The files cannot be used; the last good ones stay. `problem`: the code of the error. */
  | { readonly kind: "refused"; readonly problem: string };

export interface DoorTlsDeps {
  /** How often the files are read again. */
  readonly reloadMs: number;
  readonly onEvent: (event: TlsEvent) => void;
}

/**
 * Reads the files, and reads them again and again: their content is compared, for what mounts secrets swaps links and leaves
 * times alone. Files that do not fit together (the certificate is written before its key) are refused and looked at again.
 * @throws when they cannot be used at the start.
 */
export async function openDoorTls(files: TlsFiles, { reloadMs, onEvent }: DoorTlsDeps): Promise<DoorTls> {
  const listeners: Parameters<DoorTls["watch"]>[0][] = [];
  let material = await readMaterial(files);
  let told = JSON.stringify(material);
  let stopped = false;
  onEvent({ kind: "opened", expiresAt: assertUsable(material) });

  const reload = async () => {
    const read = await readMaterial(files).catch(problemOf);
    const telling = JSON.stringify(read);
    if (telling === told) return;
    told = telling;
    try {
      if ("problem" in read) throw read.problem;
      const expiresAt = assertUsable(read);
      const isClientCaNew = read.ca !== material.ca;
      material = read;
      for (const listener of listeners) listener(read, isClientCaNew);
      onEvent({ kind: "loaded", expiresAt });
    } catch (err) {
      onEvent({ kind: "refused", ...problemOf(err) });
    }
  };
  const timer = setInterval(() => {
    if (!stopped) void reload();
  }, reloadMs);
  timer.unref();
  return {
    current: () => material,
    watch: (listener) => void listeners.push(listener),
    clientCertificate:
      files.clientCaFile === undefined ? "none" : files.clientCertificateRequired ? "required" : "optional",
    stop() {
      stopped = true;
      clearInterval(timer);
    },
  };
}

async function readMaterial({ certFile, keyFile, clientCaFile }: TlsFiles): Promise<TlsMaterial> {
  const [cert = "", key = "", ca] = await Promise.all(
    [certFile, keyFile, ...(clientCaFile === undefined ? [] : [clientCaFile])].map((file) =>
      readFile(file, "utf8"),
    ),
  );
  return { cert, key, ca };
}

/** @returns when the certificate ends. @throws when OpenSSL cannot use it with its key, or not the roots of clients. */
export function assertUsable({ cert, key, ca }: TlsMaterial): Date {
  createSecureContext({ cert, key, ...(ca === undefined ? {} : { ca }) });
  // It takes an empty text for one that was left out.
  createPrivateKey(key);
  if (ca !== undefined) new X509Certificate(ca);
  return new Date(new X509Certificate(cert).validTo);
}

/** Nothing of a message: it may quote the file. */
function problemOf(err: unknown): { readonly problem: string } {
  if (typeof err === "string") return { problem: err };
  const { code } = err as { code?: unknown };
  return { problem: typeof code === "string" ? code : "unusable" };
}
