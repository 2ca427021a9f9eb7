import { format } from "node:util";
import { experimental, type Server, ServerCredentials, setLogger } from "@grpc/grpc-js";
import { addressOf } from "./address.ts";
import type { DoorTls } from "./tls.ts";

/** Listens, with TLS or in clear, and says on which port. @throws an error with the system's code when it refuses. */
export function bindGrpc(
  server: Server,
  host: string,
  port: number,
  tls: DoorTls | undefined,
): Promise<number> {
  const address = addressOf({ host, port });
  quietenFailures();
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentialsOf(tls), (err, bound) =>
      err === null ? resolve(bound) : reject(withCode(err)),
    );
  });
}

/** grpc-js writes to standard error what it also throws. */
function quietenFailures(): void {
  setLogger({
    error: (text: string, ...more: unknown[]) => {
      if (!text.startsWith("No address added ")) process.stderr.write(`${format(text, ...more)}\n`);
    },
  });
}

/** It keeps the messages of what the system said, and not the codes; of a name without an address only that it has none. */
function withCode(err: Error): Error {
  const [code] = /\bE[A-Z]{4,}\b/.exec(err.message) ?? [];
  const isNameless = err.message.startsWith("Name resolution failed");
  return Object.assign(err, { code: code ?? (isNameless ? "ENOTFOUND" : undefined) });
}

/**
 * grpc-js takes certificates from a provider that may change them. Its own one, which watches files, drops every connection
 * while they do not fit together; ours has the last good ones.
 */
function credentialsOf(tls: DoorTls | undefined): ServerCredentials {
  if (tls === undefined) return ServerCredentials.createInsecure();
  const provider = providerOf(tls);
  // The server's own first, then the roots of clients, whatever the names of the parameters say (grpc-js 1.14).
  return experimental.createCertificateProviderServerCredentials(
    provider,
    tls.clientCertificate === "none" ? null : provider,
    tls.clientCertificate === "required",
  );
}

function providerOf(tls: DoorTls): experimental.CertificateProvider {
  const identity = ({ cert, key } = tls.current()) => ({
    certificate: Buffer.from(cert),
    privateKey: Buffer.from(key),
  });
  const roots = ({ ca = "" } = tls.current()) => ({ caCertificate: Buffer.from(ca) });
  let onIdentity: experimental.IdentityCertificateUpdateListener | undefined;
  let onRoots: experimental.CaCertificateUpdateListener | undefined;
  tls.watch((material) => {
    onRoots?.(roots(material));
    onIdentity?.(identity(material));
  });
  return {
    // Later, for grpc-js takes note of its listener only after it has added it here.
    addIdentityCertificateListener(listener) {
      onIdentity = listener;
      process.nextTick(() => listener(identity()));
    },
    removeIdentityCertificateListener() {
      onIdentity = undefined;
    },
    addCaCertificateListener(listener) {
      onRoots = listener;
      process.nextTick(() => listener(roots()));
    },
    removeCaCertificateListener() {
      onRoots = undefined;
    },
  };
}
