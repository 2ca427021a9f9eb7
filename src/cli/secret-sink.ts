import { closeSync, fsyncSync, openSync, rmSync, writeSync } from "node:fs";
import { UsageError } from "./exit-code.ts";

export interface SecretOptions {
  readonly secretFile?: string;
  readonly showSecret?: boolean;
}

/** Where a secret goes once it is there. Made before anything is called: a secret is shown once. */
export interface SecretSink {
  /** Whether the secret stands in the printed answer. */
  readonly isShown: boolean;
  keep(secret: string): void;
  /** There is none after all. A file that was made for it goes. */
  release(): void;
}

/** @throws UsageError when nobody has said where the secret may go, or it cannot go there. */
export function openSecretSink({ secretFile, showSecret = false }: SecretOptions): SecretSink {
  if (secretFile !== undefined && showSecret)
    throw new UsageError("--secret-file and --show-secret exclude each other");
  if (secretFile !== undefined) return fileSink(secretFile);
  if (!showSecret)
    throw new UsageError(
      "say where the secret goes, which is shown once: --secret-file FILE, or --show-secret",
    );
  return { isShown: true, keep: () => {}, release: () => {} };
}

/** For a dry run, which issues none. */
export const NO_SECRET: SecretSink = { isShown: false, keep: () => {}, release: () => {} };

function fileSink(file: string): SecretSink {
  const descriptor = createPrivate(file);
  let isKept = false;
  return {
    isShown: false,
    keep(secret) {
      writeSync(descriptor, `${secret}\n`);
      fsyncSync(descriptor);
      closeSync(descriptor);
      isKept = true;
    },
    release() {
      if (isKept) return;
      closeSync(descriptor);
      rmSync(file, { force: true });
    },
  };
}

/** Never one that is there already: it may be the secret that is in use. */
function createPrivate(file: string): number {
  try {
    return openSync(file, "wx", 0o600);
  } catch (err) {
    const { code } = err as NodeJS.ErrnoException;
    const why = code === "EEXIST" ? "is there already, and is not overwritten" : `cannot be made (${code})`;
    throw new UsageError(`${file} ${why}`);
  }
}
