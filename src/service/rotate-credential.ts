import type { CallContext } from "../domain/call-context.ts";
import type { IssuedCredential } from "../domain/credential.ts";
import type { Credentials } from "../storage/credentials.ts";
import { type IssueDeps, issue } from "./issue.ts";

export interface RotateCredentialDeps extends IssueDeps {
  readonly credentials: Pick<Credentials, "rotate">;
}

export interface RotateCredential {
  readonly serviceAccountId: string;
  /** The credential to replace. */
  readonly id: string;
  readonly etag: string | undefined;
  /** Milliseconds for which the old secret still holds, from 0 to its remaining life. */
  readonly gracePeriodMs: number;
  /** When the new one expires. Absent: the organization's default lifetime, never what the old one had left. */
  readonly expiresAt: Date | undefined;
  readonly idempotencyKey: string | undefined;
  readonly validateOnly: boolean;
}

/**
 * Issues a credential in the place of another. At the limit this works without a grace period only.
 * @throws FaultError as createCredential, and etag_mismatch, credential_not_active, grace_period_above_maximum.
 */
export function rotateCredential(
  deps: RotateCredentialDeps,
  ctx: CallContext,
  req: RotateCredential,
): Promise<IssuedCredential> {
  const { id, serviceAccountId, etag, gracePeriodMs, expiresAt } = req;
  const request = ["rotate", serviceAccountId, id, etag, gracePeriodMs, expiresAt];
  return issue(deps, ctx, { ...req, request }, (parts) =>
    deps.credentials.rotate(ctx, { ...req, ...parts, replacedId: id }),
  );
}
