import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type GivenDoctor, givenDoctor } from "./given-doctor.ts";
import { scopeOf } from "./keyturn-command.ts";
import { type Misconfiguration, type Seed, testEach, warning, wrong } from "./misconfiguration.ts";

const scope = scopeOf({ after });
let d: GivenDoctor;
before(async () => {
  d = await givenDoctor(scope);
});

const behaves =
  (as: Parameters<GivenDoctor["issuer"]["behave"]>[0]): Seed =>
  (at, { issuer }) => {
    issuer.behave(as);
    at.after(async () => issuer.behave("well"));
    return {};
  };

const SHARED = { kty: "oct", kid: "shared", alg: "HS256", k: "geheim" };
const UNKNOWN = { kty: "EC", crv: "secp256k1", alg: "ES256K", kid: "one", x: "AA", y: "AA" };

/** Publishes other keys; with `own`, beside the one that it signs with. */
const publishes =
  (others: readonly unknown[], own?: "own"): Seed =>
  (at, { issuer }) => {
    const { jwk } = issuer.key();
    issuer.publish(own === undefined ? others : [jwk, ...others]);
    at.after(async () => issuer.publish([jwk]));
    return {};
  };

const issuerUrl = ({ issuer }: GivenDoctor) => issuer.url;
const issuer = (what: string, check: string, seed: Seed): Misconfiguration =>
  wrong(what, check, issuerUrl, seed);

testEach(
  () => d,
  [
    wrong("an issuer that cannot be reached", "issuer_unreachable", "http://127.0.0.1:1", {
      KEYTURN_OIDC_ISSUER: "http://127.0.0.1:1",
    }),
    issuer("an issuer that answers by errors", "issuer_documents", behaves("status_500")),
    issuer("an issuer that answers by a page", "issuer_documents", behaves("not_json")),
    issuer("an issuer whose metadata differ by a slash", "issuer_slash", behaves("wrong_issuer")),
    issuer(
      "an issuer that has its keys elsewhere in clear",
      "issuer_key_set_address",
      behaves("foreign_key_set_address"),
    ),
    issuer("an issuer without keys", "issuer_without_keys", publishes([])),
    issuer("an issuer with keys of refused algorithms", "issuer_without_keys", publishes([UNKNOWN])),
    issuer("an issuer that publishes a shared key", "issuer_key_private", publishes([SHARED], "own")),
    warning(
      "an issuer with one key of a refused algorithm",
      "issuer_keys_skipped",
      issuerUrl,
      publishes([UNKNOWN], "own"),
    ),
  ],
);

test("an issuer that differs from its metadata by a slash is told so, and what to write instead", async () => {
  const { findings } = await d.examine({ KEYTURN_OIDC_ISSUER: `${d.issuer.url}/` });
  const found = findings.find(({ check }) => check === "issuer_slash");
  assert.equal(found?.todo, `set KEYTURN_OIDC_ISSUER to ${d.issuer.url}`);
});

test("an issuer whose metadata name another is told so", async () => {
  const { named } = await d.examine({ KEYTURN_OIDC_ISSUER: d.issuer.url.replace("127.0.0.1", "localhost") });
  assert.deepEqual(named("wrong"), ["issuer_mismatch"]);
});
