import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import { credentialsPath, rest, restCreate } from "../support/clients.ts";
import { DOORS, fromRest, violatedFields } from "../support/doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { assertAlive, assertNothingStored } from "../support/stored.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

const DAY_MS = 86_400_000;
const YEAR_9999 = { seconds: 253_402_300_799n, nanos: 999_000_000 };

/** The database's own present, which judges. */
async function databaseNow(): Promise<number> {
  const [row] = await h.db.sql<{ now: Date }[]>`select date_trunc('milliseconds', clock_timestamp()) as now`;
  return row?.now.getTime() ?? Number.NaN;
}

const fromNow = (ms: number) => async () => timestampFromMs((await databaseNow()) + ms);

const REFUSED = [
  ["in the past", fromNow(-1), "EXPIRY_IN_PAST", ["now"]],
  ["in the year 1970", async () => timestampFromMs(0), "EXPIRY_IN_PAST", ["now"]],
  ["in the year 1", async () => ({ seconds: -62_135_596_800n, nanos: 0 }), "EXPIRY_IN_PAST", ["now"]],
  ["under the minimum", fromNow(30_000), "EXPIRY_BELOW_MINIMUM", ["earliest", "min_lifetime_seconds"]],
  [
    "over the maximum",
    fromNow(365 * DAY_MS + 60_000),
    "EXPIRY_ABOVE_MAXIMUM",
    ["latest", "max_lifetime_seconds"],
  ],
  ["in the year 9999", async () => YEAR_9999, "EXPIRY_ABOVE_MAXIMUM", ["latest", "max_lifetime_seconds"]],
] as const;

for (const [when, expiresAt, reason, metadata] of REFUSED) {
  test(`an expiry ${when} is refused at every door with its bound, and nothing is stored`, async () => {
    const { organizationId, id } = await h.givenAccount();
    const token = await h.token(organizationId);
    for (const door of DOORS) {
      const answer = await door.create(h, { serviceAccountId: id, expiresAt: await expiresAt() }, { token });
      assert.equal(answer.code, Code.InvalidArgument, door.name);
      assert.equal(answer.reason, reason, door.name);
      assert.deepEqual(Object.keys(answer.metadata).sort(), metadata);
      assert.deepEqual(violatedFields(answer), ["expires_at"]);
      if (door.name === "REST") assert.equal(answer.httpStatus, 422);
    }
    await assertNothingStored(h, id);
    await assertAlive(h);
  });
}

test("the latest expiry that a refusal names is accepted to the millisecond", async () => {
  const { organizationId, id } = await h.givenAccount();
  const token = await h.token(organizationId);
  const refused = await restCreate(h, id, token, { expiresAt: "9999-12-31T23:59:59.999Z" });
  const { latest } = fromRest(refused.status, refused.headers, refused.body).metadata;
  const created = await restCreate(h, id, token, { expiresAt: latest });
  assert.equal(created.status, 201);
  assert.equal(Date.parse(created.body.expiresAt), Date.parse(String(latest)));
});

test("an expiry with nanoseconds is cut to the millisecond, at every door", async () => {
  const { organizationId, id } = await h.givenAccount();
  const token = await h.token(organizationId);
  const seconds = BigInt(Math.floor((await databaseNow()) / 1000) + 86_400);
  for (const door of DOORS) {
    const answer = await door.create(
      h,
      { serviceAccountId: id, expiresAt: { seconds, nanos: 123_999_999 } },
      { token },
    );
    assert.equal(answer.code, 0, door.name);
  }
  const rows = await h.db.sql<{ expires_at: Date }[]>`
    select distinct expires_at from keyturn.credentials where service_account_id = ${id}`;
  assert.deepEqual(
    rows.map(({ expires_at }) => expires_at.getTime()),
    [Number(seconds) * 1000 + 123],
  );
});

test("an expiry that is null or left out means the default lifetime", async () => {
  const { organizationId, id } = await h.givenAccount();
  const token = await h.token(organizationId);
  for (const body of [{ expiresAt: null }, {}, ""]) {
    const res = await restCreate(h, id, token, body);
    assert.equal(res.status, 201);
    assert.equal(Date.parse(res.body.expiresAt) - Date.parse(res.body.createdAt), 90 * DAY_MS);
  }
  const bare = await rest(h, credentialsPath(id), { method: "POST", token });
  assert.equal(bare.status, 201);
});
