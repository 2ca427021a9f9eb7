import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { TlsOptions } from "../client/channel.ts";
import { UsageError } from "./exit-code.ts";

export interface TlsFileOptions {
  readonly caFile?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
}

/** What the files hold, once they hold what they should: OpenSSL names no file. @throws UsageError */
export function readTlsFiles({ caFile, certFile, keyFile }: TlsFileOptions): TlsOptions {
  if ((certFile === undefined) !== (keyFile === undefined))
    throw new UsageError("--cert-file and --key-file go together");
  const [ca, cert, key] = [caFile, certFile, keyFile].map((file) =>
    file === undefined ? undefined : readText(file),
  );
  if (caFile !== undefined) certificatesOf(caFile, ca ?? "");
  const [certificate] = certFile === undefined ? [] : certificatesOf(certFile, cert ?? "");
  const privateKey = keyFile === undefined ? undefined : keyOf(keyFile, key ?? "");
  if (certificate !== undefined && privateKey !== undefined && !certificate.checkPrivateKey(privateKey))
    throw new UsageError(`the key in ${keyFile} is not that of the certificate in ${certFile}`);
  return {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
  };
}

const CERTIFICATES = /-----BEGIN CERTIFICATE-----(?:(?!-----BEGIN)[\s\S])*/g;

/** All of them: of a list of authorities OpenSSL takes those before the first that it cannot read. */
function certificatesOf(file: string, text: string): X509Certificate[] {
  const blocks = text.match(CERTIFICATES) ?? [];
  if (blocks.length === 0) throw new UsageError(`${file} has no certificate in PEM`);
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new UsageError(`${file}: certificate ${index + 1} of ${blocks.length} cannot be read`);
    }
  });
}

function keyOf(file: string, text: string): KeyObject {
  try {
    return createPrivateKey(text);
  } catch {
    throw new UsageError(`${file} has no private key in PEM, or one that takes a passphrase`);
  }
}

/** @throws UsageError */
export function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (err) {
    throw new UsageError(`${file} cannot be read (${(err as NodeJS.ErrnoException).code ?? "?"})`);
  }
}
