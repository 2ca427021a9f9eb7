import { fetchPublishedKeys } from "../../auth/issuer-metadata.ts";
import { KeySetError, type KeySetProblem } from "../../auth/key-set-error.ts";
import { type PublishedKeys, readKeys } from "../../auth/published-keys.ts";
import { type Finding, ok, warning, wrong } from "./finding.ts";

const ASK_MS = 5_000;

/** Asks each issuer for its keys, as a server does. */
export function examineIssuers(issuers: readonly string[], production: boolean): Promise<Finding[]> {
  return Promise.all(issuers.map((issuer) => examineIssuer(issuer, production))).then((found) =>
    found.flat(),
  );
}

async function examineIssuer(issuer: string, production: boolean): Promise<Finding[]> {
  const inClear =
    production && issuer.startsWith("http:")
      ? [
          warning(
            "issuer_in_clear",
            issuer,
            "is asked without TLS, on this machine",
            "take an https issuer in production",
          ),
        ]
      : [];
  try {
    return [...inClear, ...keyFindings(issuer, await keysOf(issuer))];
  } catch (err) {
    if (!(err instanceof KeySetError)) throw err;
    return [...inClear, await failure(issuer, err)];
  }
}

async function keysOf(issuer: string): Promise<PublishedKeys> {
  const signal = new AbortController();
  const timer = setTimeout(() => signal.abort(new KeySetError("timeout")), ASK_MS);
  try {
    return await readKeys(await fetchPublishedKeys(fetch, issuer, signal.signal));
  } finally {
    clearTimeout(timer);
  }
}

function keyFindings(issuer: string, { byId, skipped }: PublishedKeys): Finding[] {
  const usable = byId.size;
  const reasons = [...new Set(skipped.map(({ problem }) => problem))];
  const isPrivate = reasons.includes("private");
  return [
    ...(isPrivate
      ? [
          wrong(
            "issuer_key_private",
            issuer,
            "publishes a private or shared key: everybody can sign as it does",
            "have the key replaced at once, and publish public halves alone",
          ),
        ]
      : []),
    ...(usable === 0
      ? [
          wrong(
            "issuer_without_keys",
            issuer,
            skipped.length === 0
              ? "publishes no key"
              : `publishes ${skipped.length} keys of which none can be used: ${reasons.map(wordsOf).join(", ")}`,
            "publish a key of ES256, ES384, ES512, EdDSA, RS256 or PS256 and their like, with a `kid`",
          ),
        ]
      : [
          ok(
            "issuer",
            issuer,
            usable === 1 ? "publishes a key that can be used" : `publishes ${usable} keys that can be used`,
          ),
        ]),
    ...(usable > 0 && skipped.length > 0
      ? [
          warning(
            "issuer_keys_skipped",
            issuer,
            `${skipped.length} of its keys are left out: ${reasons.map(wordsOf).join(", ")}`,
            "tokens that are signed with them are refused",
          ),
        ]
      : []),
  ];
}

const wordsOf = (problem: PublishedKeys["skipped"][number]["problem"]): string =>
  problem.replaceAll("_", " ");

async function failure(issuer: string, err: KeySetError): Promise<Finding> {
  if (err.problem === "issuer_mismatch") return mismatch(issuer);
  const { check, what, todo } = WORDS[err.problem] ?? OTHER;
  const detail = err.httpStatus ?? codeOf(err);
  return wrong(check, issuer, detail === undefined ? what : `${what} (${detail})`, todo);
}

/** Most often the two differ by the slash at the end: then the issuer under that name answers for itself. */
async function mismatch(issuer: string): Promise<Finding> {
  const other = issuer.endsWith("/") ? issuer.slice(0, -1) : `${issuer}/`;
  const isOther = await keysOf(other).then(
    () => true,
    () => false,
  );
  return isOther
    ? wrong(
        "issuer_slash",
        issuer,
        `its metadata say that it is ${other}`,
        `set KEYTURN_OIDC_ISSUER to ${other}`,
      )
    : wrong(
        "issuer_mismatch",
        issuer,
        "its metadata name another issuer",
        "set it to what stands in `iss` of its tokens",
      );
}

interface Words {
  readonly check: string;
  readonly what: string;
  readonly todo: string;
}

const OTHER: Words = { check: "issuer", what: "its keys cannot be had", todo: "see its log" };
const UNREACHABLE: Words = {
  check: "issuer_unreachable",
  what: "cannot be reached from here",
  todo: "check name, network, proxy and certificate: curl it from this machine",
};
const BAD: Words = {
  check: "issuer_documents",
  what: "answers, but not with metadata and keys (RFC 8414, OpenID Connect Discovery)",
  todo: "open ISSUER/.well-known/openid-configuration and the address of its jwks_uri",
};

const WORDS: Partial<Record<KeySetProblem, Words>> = {
  unreachable: UNREACHABLE,
  timeout: { ...UNREACHABLE, what: `does not answer within ${ASK_MS / 1000} s` },
  http_status: BAD,
  too_large: BAD,
  not_json: BAD,
  not_metadata: BAD,
  not_a_key_set: BAD,
  too_many_keys: BAD,
  key_set_address: {
    check: "issuer_key_set_address",
    what: "names an address for its keys that is not https",
    todo: "have its metadata mended",
  },
};

/** What the system said, deep below what fetch says. */
function codeOf(err: unknown): string | undefined {
  for (let at = err; at instanceof Error; at = at.cause) {
    if ("code" in at && typeof at.code === "string") return at.code;
  }
  return undefined;
}
