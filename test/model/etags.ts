import { objectsIn } from "./clients.ts";

/** What an etag may have been taken for, when a call that sent it was decided. */
export interface Claim {
  readonly version: string;
  readonly fits: boolean;
}

/** Etags and what they stand for: each for one version of one thing, and each version with one etag. */
export interface Etags {
  /** An answer shows these, of credentials, or of an account or a policy of this revision; `undefined` when it can be several. */
  learn(body: unknown, revision: number | undefined): void;
  /** A call that sent an etag was decided in one of these ways. */
  claim(call: string, etag: string, claims: readonly Claim[]): void;
  /** What contradicts itself, in words. */
  faults(): string[];
}

export function openEtags(): Etags {
  const versions = new Map<string, Set<string>>();
  const claimed: { readonly call: string; readonly etag: string; readonly claims: readonly Claim[] }[] = [];
  let empty = 0;
  return {
    learn(body, revision) {
      for (const { etag, uid, expiresAt, status, serviceAccountId } of objectsIn(body)) {
        const isCredential = serviceAccountId !== undefined;
        if (etag === "") empty += 1;
        if (etag === undefined || (!isCredential && revision === undefined)) continue;
        const version = isCredential
          ? credentialVersion(String(uid), Date.parse(String(expiresAt)), status === "revoked")
          : `${uid ?? "policy"} ${revision}`;
        versions.set(String(etag), (versions.get(String(etag)) ?? new Set()).add(version));
      }
    },
    claim: (call, etag, claims) => void claimed.push({ call, etag, claims }),
    faults() {
      const learned = [...versions].flatMap(([etag, all]) => [...all].map((version) => ({ etag, version })));
      const ambiguous = learned.filter(({ etag, version }) =>
        learned.some((other) => (other.etag === etag) !== (other.version === version)),
      );
      const stands = (etag: string, { version, fits }: Claim) =>
        (versions.get(etag)?.has(version) ?? false) === fits;
      const wrong = claimed.filter(({ etag, claims }) => !claims.some((claim) => stands(etag, claim)));
      return [
        ...(empty > 0 ? ["an answer shows an empty etag"] : []),
        ...ambiguous.map(({ etag, version }) => `etag ${etag} and ${version} are not of each other only`),
        ...wrong.map(({ call, etag, claims }) => `${call} sent etag ${etag}: ${JSON.stringify(claims[0])}`),
      ];
    },
  };
}

export const credentialVersion = (uid: string, expiresAt: number, isRevoked: boolean): string =>
  `${uid} ${expiresAt}${isRevoked ? " revoked" : ""}`;
