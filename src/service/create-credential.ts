import { ipv4RangeOf } from "../domain/address.ts";
import type { CallContext } from "../domain/call-context.ts";
import type { IssuedCredential } from "../domain/credential.ts";
import { invalidArgument } from "../domain/fault.ts";
import type { Credentials } from "../storage/credentials.ts";
import { type IssueDeps, issue } from "./issue.ts";

export interface CreateCredentialDeps extends IssueDeps {
  readonly credentials: Pick<Credentials, "create">;
}

export interface CreateCredential {
  readonly serviceAccountId: string;
  /** Absent: the organization's default lifetime. */
  readonly expiresAt: Date | undefined;
  /** Absent or past: accepted at once. */
  readonly notBefore: Date | undefined;
  readonly displayName: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  /** Ranges from which the secret is accepted, in CIDR notation; none for everywhere. */
  readonly allowedCidrs: readonly string[];
  readonly idempotencyKey: string | undefined;
  readonly validateOnly: boolean;
}

/**
 * Issues a credential.
 * @throws FaultError invalid_argument, not_found, expiry_*, not_before_after_expiry, role_not_grantable, credential_creation_denied,
 *   credential_limit_reached, request_id_reused, lock_timeout, unavailable, deadline_exceeded, cancelled.
 */
export async function createCredential(
  deps: CreateCredentialDeps,
  ctx: CallContext,
  req: CreateCredential,
): Promise<IssuedCredential> {
  const { serviceAccountId, expiresAt, notBefore, displayName, labels, allowedCidrs } = req;
  requireMatchable(allowedCidrs);
  const request = [
    "create",
    serviceAccountId,
    expiresAt,
    notBefore,
    displayName,
    Object.entries(labels).sort(),
    allowedCidrs,
  ];
  return issue(deps, ctx, { ...req, request }, (parts) => deps.credentials.create(ctx, { ...req, ...parts }));
}

/** Who writes an IPv4 range as one of IPv6 would lock himself out. */
function requireMatchable(allowedCidrs: readonly string[]): void {
  const violations = allowedCidrs.flatMap((cidr, place) => {
    const range = ipv4RangeOf(cidr);
    return range === undefined
      ? []
      : [{ field: `allowed_cidrs[${place}]`, description: `is an IPv4 range: write ${range}` }];
  });
  if (violations.length > 0) throw invalidArgument(...violations);
}
