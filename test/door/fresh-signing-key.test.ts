import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { decodeProtectedHeader } from "jose";
import { parseRootKeys } from "../../src/auth/root-keys.ts";
import { rotateSigningKey } from "../../src/rotate-signing-key.ts";
import { rest } from "../support/clients.ts";
import { givenPool } from "../support/given-pool.ts";
import { givenIssued } from "../support/issued-credential.ts";
import { ROOT_KEY, type TestKeyturn } from "../support/keyturn.ts";
import { mintedToken } from "../support/token-endpoint.ts";
import { givenTwoServers, type TwoServers } from "../support/two-servers.ts";

let h: TwoServers;
before(async () => {
  h = await givenTwoServers(2, { KEYTURN_TOKEN_ISSUER: "https://keyturn.example" });
});
after(() => h.stop());

/** The token, as if it were signed with a key of another name. */
function ofUnknownKey(token: string): string {
  const kid = randomBytes(32).toString("base64url");
  const header = Buffer.from(JSON.stringify({ ...decodeProtectedHeader(token), kid })).toString("base64url");
  return [header, ...token.split(".").slice(1)].join(".");
}

test("a token of a key that signs at once is active at a server which has just looked for another key in vain", async () => {
  const [signs, reads] = h.servers;
  const issued = await givenIssued(signs);
  const verifier = await signs.token(issued.organizationId, { roles: ["verifier"] });
  const introspect = async (server: TestKeyturn, token: string) =>
    (
      await rest(server, "/oauth2/introspect", {
        method: "POST",
        token: verifier,
        body: new URLSearchParams({ token }),
      })
    ).body;
  const before = await mintedToken(signs, issued);
  assert.deepEqual(await introspect(reads, ofUnknownKey(before)), { active: false });

  const pool = givenPool(h.db.serverUrl, 1);
  const parsed = parseRootKeys(ROOT_KEY);
  assert.ok("keys" in parsed);
  const { kid } = await rotateSigningKey(pool, parsed.keys, true);
  await pool.close(1_000);
  // The one learns of it in the same way.
  assert.deepEqual(await introspect(signs, ofUnknownKey(before)), { active: false });
  const token = await mintedToken(signs, issued);
  assert.equal(decodeProtectedHeader(token).kid, kid);
  assert.equal((await introspect(reads, token)).active, true);
});
