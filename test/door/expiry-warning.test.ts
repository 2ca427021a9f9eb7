import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { givenIssued, type IssuedCredential } from "../support/issued-credential.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { fieldsOf, postToken } from "../support/token-endpoint.ts";
import { verifyAs } from "../support/verifier.ts";

const HOUR_MS = 3_600_000;

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn({ env: { KEYTURN_EXPIRY_WARNING: "1h" } });
});
after(() => h.stop());

const endsIn = async ({ id }: IssuedCredential, ms: number): Promise<number> => {
  const [row] = await h.db.sql`
    update keyturn.credentials set expires_at = clock_timestamp() + make_interval(secs => ${ms / 1000})
     where id = ${id} returning expires_at`;
  return row?.["expires_at"].getTime();
};

async function databaseNow(): Promise<number> {
  const [row] = await h.db.sql`select clock_timestamp() as now`;
  return row?.["now"].getTime();
}

const WAYS: readonly (readonly [way: string, isSoon: (issued: IssuedCredential) => Promise<boolean>])[] = [
  [
    "VerifyCredential",
    async (issued) => {
      const { body } = await verifyAs(h, issued, { clientSecret: issued.secret });
      return body.principal.expiresSoon === true;
    },
  ],
  [
    "the token endpoint",
    async (issued) => (await postToken(h, { form: fieldsOf(issued) })).body.credential_expires_soon === true,
  ],
];

for (const [way, isSoon] of WAYS) {
  test(`${way} warns from the instant on that KEYTURN_EXPIRY_WARNING is before the end, by the database's clock`, async () => {
    const issued = await givenIssued(h);
    const warnsFrom = (await endsIn(issued, HOUR_MS + 1_500)) - HOUR_MS;
    let warned = false;
    let unwarned = 0;
    while (!warned) {
      const asked = await databaseNow();
      warned = await isSoon(issued);
      const answered = await databaseNow();
      if (warned) assert.ok(answered >= warnsFrom, `warned ${warnsFrom - answered} ms too early`);
      else assert.ok(asked <= warnsFrom, `not warned ${asked - warnsFrom} ms later`);
      if (!warned) unwarned += 1;
    }
    assert.ok(unwarned > 0);
  });
}

test("without the variable the warning comes in the last fourteen days", async () => {
  const usual = await givenKeyturn({ db: h.db, issuer: h.issuer });
  try {
    const issued = await givenIssued(usual);
    const isSoon = async () => {
      const { body } = await verifyAs(usual, issued, { clientSecret: issued.secret });
      return body.principal.expiresSoon === true;
    };
    await endsIn(issued, 14 * 24 * HOUR_MS + 60_000);
    assert.equal(await isSoon(), false);
    await endsIn(issued, 14 * 24 * HOUR_MS - 1);
    assert.equal(await isSoon(), true);
  } finally {
    await usual.stop();
  }
});
