import type { KeyObject } from "node:crypto";
import { type GuessThrottle, sourceKeyOf } from "../auth/guess-throttle.ts";
import type { SecretMatcher } from "../auth/secret-matcher.ts";
import { canonicalAddress } from "../domain/address.ts";
import { abortFault } from "../domain/fault.ts";
import type { TellFinding } from "../domain/presented.ts";
import { clientIdOf, type Principal, type RefusedUseReason } from "../domain/principal.ts";
import { parseSecret } from "../domain/secret.ts";
import { waitFor } from "../domain/wait-for.ts";
import type { CheckCredential, CheckedCredential } from "../storage/credential-checks.ts";
import type { Presented, UsageRecorder } from "../storage/usage-recorder.ts";
import type { Rehash } from "./rehash.ts";

export interface CheckSecretDeps {
  readonly secretPrefix: string;
  /** The current key that makes tags, then the retired ones. */
  readonly tagKeys: readonly KeyObject[];
  readonly check: CheckCredential;
  readonly matcher: SecretMatcher;
  /** Secrets that this server has not made, by asker and source. */
  readonly forgeries: GuessThrottle;
  /** Wrong guesses by asker and source, and by asker, credential and source. */
  readonly sources: GuessThrottle;
  readonly credentials: GuessThrottle;
  readonly usage: Pick<UsageRecorder, "used" | "refused">;
  readonly rehash: Rehash;
  /** Told what became of each check, in one word, for metrics. */
  readonly onChecked: (outcome: CheckOutcome["kind"] | Refusal) => void;
}

/** What a service account, or whoever pretends to be one, presents. */
export interface PresentedSecret extends Presented {
  readonly secret: string;
  /** Who asks for it, and answers for the source that he names: each has an account of guesses of his own. */
  readonly asker: string;
  /** Absent: the secret alone decides. */
  readonly clientId: string | undefined;
  /** Organizations that the asker may learn of; absent for all. */
  readonly organizationId?: string | undefined;
  readonly tell: TellFinding;
}

/** Why a secret was refused. For metrics and for administrators, never for the one who presents it. */
type Refusal = RefusedUseReason | "malformed" | "forged" | "unknown" | "wrong" | "client_id" | "organization";

export type CheckOutcome =
  | { readonly kind: "verified"; readonly principal: Principal }
  | { readonly kind: "refused" }
  /** Too many wrong guesses, and this one is not known to be right. */
  | { readonly kind: "throttled"; readonly delayMs: number };

export type CheckSecret = (presented: PresentedSecret, signal: AbortSignal) => Promise<CheckOutcome>;

/** A secret that is right, whether it holds or not. */
interface Recognized {
  readonly kind: "recognized";
  readonly presented: PresentedSecret;
  readonly found: CheckedCredential;
}

type Unrecognized = Exclude<CheckOutcome, { readonly kind: "verified" }>;

/** Whose secret it is, though it may hold no more: for those who turn it in. */
export type RecognizeSecret = (
  presented: PresentedSecret,
  signal: AbortSignal,
) => Promise<Recognized | Unrecognized>;

/**
 * Says whose secret it is. In this order: the checksum and the tag, which need neither database nor argon2; hash and live
 * state in one read; argon2, or nothing when this process knows the match. Whatever is wrong, the answer is the same, and
 * for a secret that this server made it takes the same time.
 * @throws FaultError unavailable, deadline_exceeded, cancelled: never an answer about the secret.
 */
export const checkSecret = (deps: CheckSecretDeps): CheckSecret => {
  const recognize = recognizeSecret(deps);
  return async (asked, signal) => {
    const outcome = await recognize(asked, signal);
    if (outcome.kind !== "recognized") return outcome;
    const { presented, found } = outcome;
    const { principal } = found;
    const refusal = refusalOf(presented, found);
    tell(deps, asked, refusal ?? "verified", principal.credentialId);
    if (refusal !== undefined) {
      if (refusal === found.refusal) deps.usage.refused(principal, presented, refusal);
      return { kind: "refused" };
    }
    deps.usage.used(principal, presented);
    deps.rehash(presented.secret, found);
    return { kind: "verified", principal };
  };
};

/** The same without the last question, whether the secret holds. Tells of those alone that are not right. */
export const recognizeSecret =
  (deps: CheckSecretDeps): RecognizeSecret =>
  async (asked, signal) => {
    // What PostgreSQL does not take for an address would fail the statement that others share.
    const address = asked.address === undefined ? undefined : canonicalAddress(asked.address);
    const presented = { ...asked, address };
    const source = address === undefined ? undefined : `${asked.asker} ${sourceKeyOf(address)}`;
    const parsed = parseSecret(presented.secret, deps.secretPrefix);
    const throttled = (delayMs: number): Unrecognized => {
      tell(deps, asked, "throttled", parsed?.credentialId);
      return { kind: "throttled", delayMs };
    };
    const refused = (refusal: Refusal): Unrecognized => {
      tell(deps, asked, refusal, parsed?.credentialId);
      return { kind: "refused" };
    };
    if (parsed === undefined || !parsed.isTaggedBy(deps.tagKeys)) {
      const delayMs = source === undefined ? 0 : deps.forgeries.delayMs(source);
      if (delayMs > 0) return throttled(delayMs);
      if (source !== undefined) deps.forgeries.count(source);
      return refused(parsed === undefined ? "malformed" : "forged");
    }
    const question = { credentialId: parsed.credentialId, address };
    const found = await deps.check(question, signal);

    const guesser = `${parsed.credentialId} ${source ?? asked.asker}`;
    const match = await matchOf(deps, presented, found, guessesOf(deps, { source, guesser }), signal);
    if (match === "mismatch") return refused(found === undefined ? "unknown" : "wrong");
    if (match !== "match") return throttled(match);
    return { kind: "recognized", presented, found: found as CheckedCredential };
  };

function tell(
  { onChecked }: CheckSecretDeps,
  asked: PresentedSecret,
  word: CheckOutcome["kind"] | Refusal,
  credentialId: string | undefined,
): void {
  onChecked(word);
  asked.tell({ credentialId, refusal: word === "verified" ? undefined : word });
}

/** What one asker has guessed from one place, altogether and at one credential. */
function guessesOf(
  { sources, credentials }: CheckSecretDeps,
  { source, guesser }: { readonly source: string | undefined; readonly guesser: string },
) {
  return {
    delayMs: () => Math.max(credentials.delayMs(guesser), source === undefined ? 0 : sources.delayMs(source)),
    count() {
      credentials.count(guesser);
      if (source !== undefined) sources.count(source);
    },
    giveBack() {
      credentials.giveBack(guesser);
      if (source !== undefined) sources.giveBack(source);
    },
  };
}

/**
 * Whether the secret matches, or the milliseconds after which it may be asked. A guess is counted before its hash, or as
 * many as come at one moment would all be let in; it is given back when it was none. Whoever hangs up has guessed all the
 * same: his hash goes on, and would else be free.
 */
async function matchOf(
  { matcher }: CheckSecretDeps,
  { secret }: PresentedSecret,
  found: CheckedCredential | undefined,
  guesses: ReturnType<typeof guessesOf>,
  signal: AbortSignal,
): Promise<"match" | "mismatch" | number> {
  const stored = found && { credentialUid: found.principal.credentialUid, secretHash: found.secretHash };
  // The right secret is never locked out where it is known, whatever else comes from the same place.
  if (stored !== undefined && matcher.isKnown(secret, stored)) return "match";
  // All who present the right secret at a cold start share a hash: none of them may be throttled for the others.
  if (stored !== undefined && matcher.isChecking(secret, stored)) {
    if (await matcher.matches(secret, stored, signal)) return "match";
    // The one whose guess it is may have gone.
    guesses.count();
    return "mismatch";
  }
  const delayMs = guesses.delayMs();
  if (delayMs > 0) return delayMs;
  if (signal.aborted) throw abortFault(signal);
  guesses.count();
  const { signal: never } = new AbortController();
  const hashed: Promise<boolean> =
    stored === undefined
      ? matcher.mismatch(secret, never)
      : matcher.matches(secret, stored, never, found?.principal.organizationId);
  // None that was right is a guess, nor one that found no room.
  void hashed.then((isMatch) => isMatch && guesses.giveBack(), guesses.giveBack);
  return (await waitFor(hashed, signal)) ? "match" : "mismatch";
}

/** The secret is right; whether it holds is another question. */
function refusalOf(
  { organizationId, clientId }: PresentedSecret,
  { principal, refusal }: CheckedCredential,
): Refusal | undefined {
  if (organizationId !== undefined && organizationId !== principal.organizationId) return "organization";
  if (clientId !== undefined && clientId !== clientIdOf(principal)) return "client_id";
  return refusal;
}
