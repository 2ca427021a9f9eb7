import type { Mint, Minted } from "../auth/mint.ts";
import { type ReplayKey, replayKey } from "../auth/replay-seal.ts";
import type { KeyRing } from "../auth/root-keys.ts";
import type { CallContext } from "../domain/call-context.ts";
import type { IssuedCredential } from "../domain/credential.ts";
import { isCertainlyUnwritten, refused } from "../domain/fault.ts";
import type { RandomBytes } from "../domain/secret.ts";
import type { NewCredential, StoredIssue } from "../storage/credential-arguments.ts";
import type { Outcome } from "../storage/mutation.ts";

export interface IssueDeps {
  readonly mint: Mint;
  readonly replay: { readonly keys: KeyRing; readonly randomBytes: RandomBytes };
}

export interface Issue {
  /** UUID of the caller's own, which makes the call safe to repeat; absent when it may not be. */
  readonly idempotencyKey: string | undefined;
  /** All that makes the request what it is: the same under the same key is the same call. */
  readonly request: readonly unknown[];
  readonly validateOnly: boolean;
}

/** What `store` writes: the secret's stored form, and by what the call is known again. */
export type IssueParts = Pick<NewCredential, "stored" | "claim">;

/**
 * Issues a credential, for a create and a rotate alike. The secret is minted before the database is asked, so no lock ever
 * waits for a hash; a secret that was certainly not stored was seen by nobody and goes back into the pool.
 */
export async function issue(
  deps: IssueDeps,
  ctx: CallContext,
  wanted: Issue,
  store: (parts: IssueParts) => Promise<Outcome<StoredIssue>>,
): Promise<IssuedCredential> {
  if (wanted.validateOnly) {
    const outcome = await store({ stored: undefined, claim: undefined });
    if (outcome.kind === "refused") throw refused(outcome.fault);
    return { ...outcome.value, clientSecret: undefined };
  }
  const key = keyOf(deps, ctx, wanted);
  const minted = await deps.mint.take(ctx.signal, ctx.caller.organizationId);
  const outcome = await store(partsOf(minted, key)).catch((err: unknown) => {
    if (isCertainlyUnwritten(err)) deps.mint.giveBack(minted);
    throw err;
  });
  if (outcome.kind === "done") return { ...outcome.value, clientSecret: minted.secret };
  deps.mint.giveBack(minted);
  if (outcome.kind === "refused") throw refused(outcome.fault);
  return { ...outcome.value, clientSecret: reopened(outcome.value, key) };
}

function keyOf(deps: IssueDeps, { caller }: CallContext, wanted: Issue): ReplayKey | undefined {
  if (wanted.idempotencyKey === undefined) return undefined;
  const owner = [caller.organizationId, caller.issuer, caller.subject];
  const body = Buffer.from(JSON.stringify(wanted.request));
  return replayKey({ requestId: wanted.idempotencyKey, owner, body }, deps.replay);
}

function partsOf({ stored, secret }: Minted, key: ReplayKey | undefined): IssueParts {
  if (key === undefined) return { stored, claim: undefined };
  const { requestHash, bodyHash } = key;
  return { stored, claim: { requestHash, bodyHash, sealedSecret: key.seal(secret, stored.credentialId) } };
}

/** The secret of a call that is repeated in time. One that does not open is a defect, and no secret is handed out. */
function reopened({ credential, sealedSecret }: StoredIssue, key: ReplayKey | undefined): string | undefined {
  return sealedSecret === undefined ? undefined : key?.open(sealedSecret, credential.id);
}
