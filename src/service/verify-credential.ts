import type { CallContext } from "../domain/call-context.ts";
import { tooManyAttempts } from "../domain/fault.ts";
import type { TellFinding } from "../domain/presented.ts";
import type { Principal } from "../domain/principal.ts";
import type { CheckSecret } from "./check-secret.ts";

export interface VerifyCredentialDeps {
  readonly checkSecret: CheckSecret;
  /** Seconds before its end in which a credential is said to expire soon. */
  readonly expiryWarningSeconds: number;
}

export interface VerifyCredential {
  readonly clientSecret: string;
  /** Absent: the secret alone decides. */
  readonly clientId: string | undefined;
  /** Who presented it to our caller, as our caller has it. */
  readonly sourceIp: string | undefined;
  readonly userAgent: string | undefined;
  readonly tell: TellFinding;
}

export interface VerifiedCredential {
  readonly principal: Principal;
  readonly expiresSoon: boolean;
}

/**
 * Whose secret it is; undefined for a secret that is refused, whatever the reason. A caller learns of the organizations
 * that he verifies for.
 * @throws FaultError too_many_attempts, unavailable, deadline_exceeded, cancelled.
 */
export async function verifyCredential(
  deps: VerifyCredentialDeps,
  ctx: CallContext,
  req: VerifyCredential,
): Promise<VerifiedCredential | undefined> {
  const organizationId = ctx.reach === "platform" ? undefined : ctx.caller.organizationId;
  // No id of an organization is one of the other askers, whatever it is.
  const asker = organizationId === undefined ? "platform" : `organization ${organizationId}`;
  const { clientSecret: secret, clientId, sourceIp: address, userAgent, tell } = req;
  const outcome = await deps.checkSecret(
    { secret, asker, clientId, address, userAgent, organizationId, tell },
    ctx.signal,
  );
  switch (outcome.kind) {
    case "verified":
      return {
        principal: outcome.principal,
        expiresSoon: expiresSoon(outcome.principal, deps.expiryWarningSeconds),
      };
    case "refused":
      return undefined;
    case "throttled":
      throw tooManyAttempts(outcome.delayMs);
  }
}

/** By the database's clock, at the moment of the check. */
export const expiresSoon = ({ expiresAt, checkedAt }: Principal, warningSeconds: number): boolean =>
  expiresAt.getTime() - checkedAt.getTime() <= warningSeconds * 1000;
