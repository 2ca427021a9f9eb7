import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import type { FaultError } from "../../src/domain/fault.ts";
import { credentialsPath, rest, restCreate } from "../support/clients.ts";
import { givenAccount } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { givenPool } from "../support/given-pool.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { type PrimaryAndStandby, startPrimaryAndStandby } from "../support/standby.ts";

const SKIP = process.platform === "win32" ? "needs cp and the signals of POSIX" : false;

let databases: PrimaryAndStandby;
before(async () => {
  if (SKIP === false) databases = await startPrimaryAndStandby();
});
after(() => databases?.stop());

const WAYS = [
  { attrs: "read-write", first: "standby" },
  { attrs: "read-write", first: "primary" },
  { attrs: "primary", first: "standby" },
] as const;

async function givenServers(): Promise<readonly { readonly way: string; readonly h: TestKeyturn }[]> {
  return Promise.all(
    WAYS.map(async ({ attrs, first }) => ({
      way: `${attrs}, ${first} first`,
      h: await givenKeyturn({ databaseUrl: databases.serverUrl(attrs, first) }),
    })),
  );
}

test("an address that points at a standby, and says nothing of it, is a database out of reach: it may not know yet what was deleted", {
  skip: SKIP,
}, async () => {
  const several = databases.serverUrl("primary", "standby");
  const [, standby, database] = /^(.*@[^,]+),[^/]+(\/[^?]+)/.exec(several) ?? assert.fail(several);
  const pool = givenPool(`${standby}${database}`);
  try {
    const asked = pool.run(new AbortController().signal, (sql) => sql`select 1`);
    await assert.rejects(asked, ({ fault }: FaultError) => fault.kind === "unavailable");
  } finally {
    await pool.close(1_000);
  }
});

test("of several hosts a server takes the primary, and the promoted standby when that has died", {
  skip: SKIP,
}, async () => {
  const sql = databases.connect("primary");
  const servers = await givenServers();
  try {
    const before = await Promise.all(
      servers.map(async ({ way, h }) => {
        const { organizationId, id } = await givenAccount(sql);
        const token = await h.token(organizationId);
        const created = await restCreate(h, id, token);
        assert.equal(created.status, 201, `${way}: ${created.text}`);
        return { way, h, id, token, credentialId: created.body.id };
      }),
    );
    await databases.caughtUp();
    await sql.end({ timeout: 1 });
    await databases.killPrimary();
    await databases.promoteStandby();
    for (const { way, h, id, token, credentialId } of before) {
      await eventually(async () => (await restCreate(h, id, token)).status === 201);
      const kept = await rest(h, `${credentialsPath(id)}/${credentialId}`, { token });
      assert.equal(kept.status, 200, `${way}: what was acknowledged before`);
    }
  } finally {
    await Promise.all(servers.map(({ h }) => h.stop()));
  }
});
