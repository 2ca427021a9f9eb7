import type { Mint, Minted } from "../auth/mint.ts";
import type { Caller } from "../domain/caller.ts";
import type { IssuedCredential } from "../domain/credential.ts";
import {
  credentialLimitReached,
  expiryRefused,
  FaultError,
  isCertainlyUnwritten,
  serviceAccountNotFound,
} from "../domain/fault.ts";
import type { CreateCredentialOutcome, Credentials } from "../storage/credentials.ts";

export interface CreateCredentialDeps {
  readonly mint: Mint;
  readonly credentials: Credentials;
}

export interface CreateCredential {
  readonly serviceAccountId: string;
  /** Absent: the organization's default lifetime. */
  readonly expiresAt: Date | undefined;
  readonly requestId: string;
  readonly clientAddress: string | undefined;
  /** Milliseconds that are left for work, asked at the moment when it matters. */
  readonly budgetMs: () => number;
  readonly signal: AbortSignal;
}

/**
 * Issues a credential. The secret is minted before the database is asked, so no lock ever waits for a hash; a secret
 * that was certainly not stored was seen by nobody and goes back into the pool.
 * @throws FaultError not_found, expiry_*, credential_limit_reached, lock_timeout, unavailable, deadline_exceeded, cancelled.
 */
export async function createCredential(
  deps: CreateCredentialDeps,
  caller: Caller,
  req: CreateCredential,
): Promise<IssuedCredential> {
  const minted = await deps.mint.take(req.signal);
  const outcome = await store(deps, caller, req, minted).catch((err: unknown) => {
    if (isCertainlyUnwritten(err)) deps.mint.giveBack(minted);
    throw err;
  });
  if (outcome.kind === "created") return { credential: outcome.credential, clientSecret: minted.secret };
  deps.mint.giveBack(minted);
  switch (outcome.kind) {
    case "account_unknown":
      throw serviceAccountNotFound(req.serviceAccountId);
    case "deadline_exceeded":
      throw new FaultError({ kind: "deadline_exceeded" });
    case "limit_reached":
      throw credentialLimitReached(req.serviceAccountId, outcome);
    default:
      throw expiryRefused(outcome);
  }
}

function store(
  deps: CreateCredentialDeps,
  caller: Caller,
  req: CreateCredential,
  minted: Minted,
): Promise<CreateCredentialOutcome> {
  return deps.credentials.create(
    {
      caller,
      serviceAccountId: req.serviceAccountId,
      ...minted.stored,
      expiresAt: req.expiresAt,
      clientAddress: req.clientAddress,
      requestId: req.requestId,
      budgetMs: req.budgetMs(),
    },
    req.signal,
  );
}
