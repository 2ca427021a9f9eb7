import type { CallContext } from "../domain/call-context.ts";
import type { Credential } from "../domain/credential.ts";
import type { Credentials } from "../storage/credentials.ts";

export interface GetCredentialDeps {
  readonly credentials: Pick<Credentials, "get">;
}

export interface GetCredential {
  readonly serviceAccountId: string;
  readonly id: string;
}

/** @throws FaultError not_found */
export function getCredential(
  deps: GetCredentialDeps,
  ctx: CallContext,
  req: GetCredential,
): Promise<Credential> {
  return deps.credentials.get(ctx, req.serviceAccountId, req.id);
}
