/**
 * What became of a secret or a token that somebody presented. For the log alone: the answer never says it.
 */
export interface Finding {
  /** The id that stands in it, in the form that ids have; undefined when none does. */
  readonly credentialId: string | undefined;
  /** Why it was refused, in one word; undefined when it was not. */
  readonly refusal: string | undefined;
}

/** Told once of each that is judged. Must not throw. */
export type TellFinding = (finding: Finding) => void;
