import { experimental, type Server, ServerCredentials } from "@grpc/grpc-js";
import type { DoorTls } from "./tls.ts";

/** Listens, with TLS or in clear, and says on which port. */
export function bindGrpc(
  server: Server,
  host: string,
  port: number,
  tls: DoorTls | undefined,
): Promise<number> {
  const address = host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentialsOf(tls), (err, bound) =>
      err === null ? resolve(bound) : reject(err),
    );
  });
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
