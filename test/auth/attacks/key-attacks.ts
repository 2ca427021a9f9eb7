import { type Attack, withHeader } from "./forge.ts";

export const keyAttacks: readonly Attack[] = [
  ["kid missing", "malformed", withHeader({ kid: undefined })],
  ["kid null", "malformed", withHeader({ kid: null })],
  ["kid a number", "malformed", withHeader({ kid: 1 })],
  ["kid a list", "malformed", (target) => withHeader({ kid: [target.main.id] })(target)],
  ["kid empty", "malformed", withHeader({ kid: "" })],
  ["kid too long", "malformed", withHeader({ kid: "k".repeat(257) })],
  ["kid as long as may be, unknown", "key_unknown", withHeader({ kid: "k".repeat(256) })],
  ["kid a path", "key_unknown", withHeader({ kid: "../../../../dev/null" })],
  ["kid a statement", "key_unknown", withHeader({ kid: "x' union select 'secret'--" })],
  ["kid an address", "key_unknown", ({ issuer }) => issuer.sign({ header: { kid: `${issuer.url}/keys` } })],
  // Refused before anybody looks for the key, which could cost a request.
  ["kid unknown and alg none", "algorithm", withHeader({ kid: "unknown", alg: "none" })],
  [
    "kid unknown and an end that is now",
    "expired",
    ({ issuer, seconds }) => issuer.sign({ header: { kid: "unknown" }, claims: { exp: seconds } }),
  ],
  ["kid __proto__", "key_unknown", withHeader({ kid: "__proto__" })],
  [
    "kid in another case",
    "key_unknown",
    ({ issuer, main }) => issuer.sign({ header: { kid: main.id.toUpperCase() } }),
  ],
  [
    "kid of another key of the issuer",
    "signature",
    ({ issuer, second }) => issuer.sign({ header: { kid: second.id } }),
  ],
  [
    "a stranger's key under a known kid",
    "signature",
    ({ issuer, main, stranger }) => issuer.sign({ key: stranger, header: { kid: main.id } }),
  ],
  [
    "a stranger's key under its own kid",
    "key_unknown",
    ({ issuer, stranger }) => issuer.sign({ key: stranger }),
  ],
  [
    "jwk brings the stranger's key",
    "signature",
    ({ issuer, main, stranger }) =>
      issuer.sign({ key: stranger, header: { kid: main.id, jwk: stranger.jwk } }),
  ],
  [
    "jwk without kid",
    "malformed",
    ({ issuer, stranger }) => issuer.sign({ key: stranger, header: { kid: undefined, jwk: stranger.jwk } }),
  ],
  [
    "jku points elsewhere",
    "signature",
    ({ issuer, main, stranger }) =>
      issuer.sign({ key: stranger, header: { kid: main.id, jku: `${issuer.url}/evil` } }),
  ],
  [
    "x5u points elsewhere",
    "signature",
    ({ issuer, main, stranger }) =>
      issuer.sign({ key: stranger, header: { kid: main.id, x5u: `${issuer.url}/evil` } }),
  ],
  [
    "x5c brings a certificate",
    "signature",
    ({ issuer, main, stranger }) => issuer.sign({ key: stranger, header: { kid: main.id, x5c: ["MIIB"] } }),
  ],
];
