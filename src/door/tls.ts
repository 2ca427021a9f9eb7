import { readFile } from "node:fs/promises";
import { assertUsable, type TlsMaterial, timeProblem } from "./tls-material.ts";

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

/** TLS of one door. */
export interface DoorTls {
  current(): TlsMaterial;
  /** Calls back with each new content, and whether the roots of clients have changed. */
  watch(listener: (material: TlsMaterial, isClientCaNew: boolean) => void): void;
  readonly clientCertificate: "none" | "optional" | "required";
  stop(): void;
}

export type TlsEvent =
  | {
      readonly kind: "opened" | "loaded";
      readonly expiresAt: Date;
      /** Why it does not hold now, in a word; undefined: it does. */
      readonly problem: string | undefined;
    }
  /** The files cannot be used, or not now; the last good ones stay. `problem`: the code of the error, or why it does not hold. */
  | { readonly kind: "refused"; readonly problem: string };

export interface DoorTlsDeps {
  /** How often the files are read again. */
  readonly reloadMs: number;
  readonly onEvent: (event: TlsEvent) => void;
  /** Milliseconds since the epoch. Default: the clock. */
  readonly now?: () => number;
}

/**
 * Reads the files, and reads them again and again: their content is compared, for what mounts secrets swaps links and leaves
 * times alone. Files that do not fit together (the certificate is written before its key) are refused and looked at again, and so is a
 * certificate that does not hold while the one before does. At the start one that does not hold is better than no door.
 * @throws when they cannot be used at the start.
 */
export async function openDoorTls(
  files: TlsFiles,
  { reloadMs, onEvent, now = Date.now }: DoorTlsDeps,
): Promise<DoorTls> {
  const listeners: Parameters<DoorTls["watch"]>[0][] = [];
  let material = await readMaterial(files);
  let validity = assertUsable(material);
  let told = JSON.stringify(material);
  let isForLater = false;
  let stopped = false;
  const tell = (kind: "opened" | "loaded") =>
    onEvent({ kind, expiresAt: validity.expiresAt, problem: timeProblem(validity, now()) });
  tell("opened");

  const reload = async () => {
    const read = await readMaterial(files).catch(problemOf);
    const telling = JSON.stringify(read);
    const isNew = telling !== told;
    if (!isNew && !isForLater) return;
    told = telling;
    isForLater = false;
    try {
      if ("problem" in read) throw read.problem;
      const found = assertUsable(read);
      const problem = timeProblem(found, now());
      isForLater = problem !== undefined && timeProblem(validity, now()) === undefined;
      if (isForLater) throw problem;
      const isClientCaNew = read.ca !== material.ca;
      [material, validity] = [read, found];
      for (const listener of listeners) listener(read, isClientCaNew);
      tell("loaded");
    } catch (err) {
      if (isNew) onEvent({ kind: "refused", ...problemOf(err) });
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

/** Nothing of a message: it may quote the file. */
function problemOf(err: unknown): { readonly problem: string } {
  if (typeof err === "string") return { problem: err };
  const { code } = err as { code?: unknown };
  return { problem: typeof code === "string" ? code : "unusable" };
}
