import { tooManyAttempts } from "../domain/fault.ts";
import type { TellFinding } from "../domain/presented.ts";
import type { LeakReports } from "../storage/leak-reports.ts";
import type { RecognizeSecret } from "./check-secret.ts";

export interface ReportLeakedCredentialDeps {
  readonly recognizeSecret: RecognizeSecret;
  readonly leakReports: LeakReports;
}

export interface ReportLeakedCredential {
  readonly clientSecret: string;
  readonly address: string | undefined;
  readonly requestId: string;
  /** Milliseconds that are left for the call. */
  readonly budgetMs: () => number;
  readonly tell: TellFinding;
}

/**
 * Revokes the credential of a secret that was found where it should not be. Says to nobody whether there is one: whoever
 * holds a right secret can find that out elsewhere, and nobody else gets past its tag.
 * @throws FaultError too_many_attempts, lock_timeout, unavailable, deadline_exceeded, cancelled.
 */
export async function reportLeakedCredential(
  deps: ReportLeakedCredentialDeps,
  { clientSecret: secret, address, requestId, budgetMs, tell }: ReportLeakedCredential,
  signal: AbortSignal,
): Promise<void> {
  const presented = {
    secret,
    asker: "leak report",
    clientId: undefined,
    address,
    userAgent: undefined,
    tell,
  };
  const outcome = await deps.recognizeSecret(presented, signal);
  if (outcome.kind === "throttled") throw tooManyAttempts(outcome.delayMs);
  if (outcome.kind === "refused") return;
  const { principal } = outcome.found;
  tell({ credentialId: principal.credentialId, refusal: undefined });
  await deps.leakReports.report({
    principal,
    clientAddress: outcome.presented.address,
    requestId,
    budgetMs,
    signal,
  });
}
