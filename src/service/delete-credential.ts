import type { CallContext } from "../domain/call-context.ts";
import type { CredentialLoss } from "../domain/credential.ts";
import type { CredentialDeletion, Credentials } from "../storage/credentials.ts";
import { valueWritten } from "./outcome.ts";

export interface DeleteCredentialDeps {
  readonly credentials: Pick<Credentials, "delete">;
}

/** Deletes a credential: its secret is refused from the very next check on. @throws FaultError not_found, etag_mismatch. */
export function deleteCredential(
  deps: DeleteCredentialDeps,
  ctx: CallContext,
  req: CredentialDeletion,
): Promise<CredentialLoss> {
  return valueWritten(deps.credentials.delete(ctx, req));
}
