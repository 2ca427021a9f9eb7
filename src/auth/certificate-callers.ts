import type { Caller } from "../domain/caller.ts";
import type { ClientCertificate } from "../domain/client-certificate.ts";
import { unauthenticated } from "../domain/fault.ts";

/** Who a service is that shows a certificate with this name. */
export interface CertificateCaller {
  readonly organizationId: string;
  readonly roles: readonly string[];
}

/**
 * The caller that a certificate stands for; undefined when none of its names is known.
 * @throws FaultError `unauthenticated`: `expired`, or `certificate` when its names stand for several callers.
 */
export type CallerOfCertificate = (certificate: ClientCertificate) => Caller | undefined;

/** Their issuer in the audit trail. No bearer token has it, as the issuers of those are URLs. */
export const CERTIFICATE_ISSUER = "mtls";

/** @param callers by the name in the certificate: `URI:…` or `DNS:…`, character for character. */
export function createCertificateCallers(
  callers: ReadonlyMap<string, CertificateCaller>,
  now: () => number,
): CallerOfCertificate {
  return ({ names, expiresAtMs }) => {
    const [subject, ...others] = new Set(names.filter((name) => callers.has(name)));
    const caller = subject === undefined ? undefined : callers.get(subject);
    if (subject === undefined || caller === undefined) return undefined;
    if (others.length > 0) throw unauthenticated("certificate");
    // A connection may outlive the certificate that it was made with.
    if (!(now() < expiresAtMs)) throw unauthenticated("expired");
    return Object.freeze({ issuer: CERTIFICATE_ISSUER, subject, expiresAtMs, ...caller });
  };
}
