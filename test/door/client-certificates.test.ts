import assert from "node:assert/strict";
import { test } from "node:test";
import { givenAuthority } from "../support/authority.ts";
import { GOOD_TOKEN, givenDoors } from "../support/given-doors.ts";
import { givenTls } from "../support/given-tls.ts";
import { SECURE_DOORS } from "../support/secure-clients.ts";

const LIMIT = { timeout: 30_000 };
const ADMIN = "URI:spiffe://example.org/admin";
const GATEWAY = "URI:spiffe://example.org/gateway";
const CALLERS = new Map([
  [ADMIN, { organizationId: "acme", roles: ["admin"] }],
  [GATEWAY, { organizationId: "acme", roles: ["verifier"] }],
  ["DNS:admin.example.org", { organizationId: "globex", roles: ["admin"] }],
]);

async function given(t: { after(ending: () => unknown): void }) {
  const tls = await givenTls("optional");
  const h = await givenDoors({ tls: tls.tls, certificateCallers: CALLERS });
  t.after(async () => {
    await h.stop();
    tls.stop();
  });
  const shown = (...names: string[]) => ({ ca: tls.servers.cert, client: tls.clients.issue({ names }) });
  return { tls, h, shown };
}

for (const door of SECURE_DOORS) {
  const { good, unauthenticated, denied } = door.answers;

  test(
    `${door.name}: a certificate with a mapped name is that caller, with the name as subject and mtls as issuer`,
    LIMIT,
    async (t) => {
      const { h, shown } = await given(t);
      assert.equal(await door.create(h, shown("DNS:other.example.org", ADMIN)), good);
      const { expiresAtMs, ...caller } = h.calls[0]?.verifiedCaller ?? {};
      assert.deepEqual(caller, { issuer: "mtls", subject: ADMIN, organizationId: "acme", roles: ["admin"] });
      assert.ok(Number(expiresAtMs) > Date.now());
      assert.equal(await door.create(h, shown("DNS:Admin.Example.ORG")), good);
      assert.equal(h.calls[1]?.verifiedCaller?.organizationId, "globex");
    },
  );

  test(`${door.name}: its roles are those of the mapping, and no others`, LIMIT, async (t) => {
    const { h, shown } = await given(t);
    assert.equal(await door.create(h, shown(GATEWAY)), denied);
    assert.deepEqual(h.calls, []);
  });

  test(`${door.name}: a token goes before the certificate, also one that does not hold`, LIMIT, async (t) => {
    const { h, shown } = await given(t);
    assert.equal(await door.create(h, shown(ADMIN), { authorization: "Bearer bad" }), unauthenticated);
    assert.equal(await door.create(h, shown(ADMIN), { authorization: "Basic YTpi" }), unauthenticated);
    assert.equal(await door.create(h, shown(GATEWAY), { authorization: `Bearer ${GOOD_TOKEN}` }), good);
    assert.equal(h.calls[0]?.verifiedCaller?.issuer, "test");
  });

  test(
    `${door.name}: a stranger's certificate, names that nobody has mapped, and several mapped names are nobody`,
    LIMIT,
    async (t) => {
      const { tls, h, shown } = await given(t);
      const by = (authority: string) => ({
        ca: tls.servers.cert,
        client: givenAuthority(authority).issue({ names: [ADMIN] }),
      });
      const nobodies = [
        by("strangers"),
        shown(`${ADMIN}/more`),
        shown("URI:spiffe://example.org/ADMIN"),
        shown("DNS:spiffe://example.org/admin"),
        shown(ADMIN, GATEWAY),
        // One name that reads like two.
        shown(`DNS:a, ${ADMIN}`),
        shown(`URI:a", ${ADMIN}, URI:"b`),
      ];
      for (const [index, nobody] of nobodies.entries())
        assert.equal(await door.create(h, nobody), unauthenticated, `nobody ${index}`);
      // Of the right name and the wrong key: OpenSSL ends some of these connections.
      assert.notEqual(await door.create(h, by("clients")), good);
      assert.deepEqual(h.calls, []);
    },
  );
}
