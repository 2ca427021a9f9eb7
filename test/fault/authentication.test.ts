import assert from "node:assert/strict";
import { after, afterEach, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { ORGANIZATION_CHAIN } from "../../src/domain/audit-event.ts";
import { type RestAnswer, rest } from "../support/clients.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { givenIssued, type IssuedCredential, unissuedSecret } from "../support/issued-credential.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { type PostgresProxy, startPostgresProxy } from "../support/postgres-proxy.ts";
import { holdChain } from "../support/row-lock.ts";
import { overGrpc } from "../support/rpc-callers.ts";
import { assertOAuthError, fieldsOf, mintedToken, postToken } from "../support/token-endpoint.ts";

let db: TestDatabase;
let proxy: PostgresProxy;
let h: TestKeyturn;
let issued: IssuedCredential;
let token: string;
let bearer: string;
before(async () => {
  db = await givenDatabase();
  proxy = await startPostgresProxy(db.serverUrl);
  h = await givenKeyturn({ db, databaseUrl: proxy.url });
  issued = await givenIssued(h);
  bearer = await h.token(issued.organizationId, { roles: ["verifier"] });
  // From now on this process knows the secret.
  token = await mintedToken(h, issued);
});
afterEach(async () => {
  proxy.mode("pass");
  await isBack();
});
after(async () => {
  await h?.stop();
  await proxy?.stop();
  await db?.drop();
});

/** Resolves when a call succeeds, which leaves its connection open. */
const isBack = () => eventually(async () => (await postToken(h, { form: fieldsOf(issued) })).status === 200);

const ask = (path: string, headers: Readonly<Record<string, string>> = {}): Promise<RestAnswer> =>
  rest(h, path, { method: "POST", token: bearer, headers, body: new URLSearchParams({ token }) });

type Asked = readonly [
  what: string,
  call: (headers?: Readonly<Record<string, string>>) => Promise<RestAnswer>,
];

const CALLS: readonly Asked[] = [
  ["a right secret", (headers = {}) => postToken(h, { form: fieldsOf(issued), headers })],
  [
    "a wrong secret",
    (headers = {}) =>
      postToken(h, { form: fieldsOf({ ...issued, secret: unissuedSecret(issued.id) }), headers }),
  ],
  [
    "a secret of no credential",
    (headers = {}) => postToken(h, { form: fieldsOf({ ...issued, secret: unissuedSecret() }), headers }),
  ],
  ["introspection", (headers) => ask("/oauth2/introspect", headers)],
  ["revocation", (headers) => ask("/oauth2/revoke", headers)],
];

/** While no connection can be had. */
async function whileAway(work: () => Promise<void>): Promise<void> {
  proxy.refuse();
  proxy.cut();
  try {
    await work();
  } finally {
    await proxy.listen();
  }
}

function assertUnavailable(answer: RestAnswer, status = 503): void {
  assertOAuthError(answer, status, "temporarily_unavailable");
  assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]\d?$/);
  assert.equal(answer.headers.get("www-authenticate"), null);
}

test("while the database cannot be reached, nothing is refused and no token is inactive: come again", () =>
  whileAway(async () => {
    for (const [, call] of CALLS) assertUnavailable(await call());
  }));

test("when the connection is lost while the database works, the answer is to come again", async () => {
  for (const [, call] of CALLS) {
    await isBack();
    proxy.mode("drop_answers");
    const before = proxy.roundTrips();
    const answer = call();
    await eventually(() => proxy.roundTrips() > before);
    proxy.cut();
    assertUnavailable(await answer);
    proxy.mode("pass");
  }
});

test("when the database is silent, the deadline ends the wait and says to come again", async () => {
  proxy.mode("silent");
  for (const [, call] of CALLS) {
    const answer = await call({ "connect-timeout-ms": "300" });
    assertUnavailable(answer, answer.status === 503 ? 503 : 504);
  }
});

test("a silent database does not collect those who ask: behind the reads under way they are told to come back", async () => {
  proxy.mode("silent");
  const asked: Promise<RestAnswer>[] = [];
  for (let asker = 0; asker < 8; asker += 1) {
    asked.push(postToken(h, { form: fieldsOf(issued) }));
    await delay(30);
  }
  // The first one's read goes on for seconds yet.
  const heardFirst = await Promise.race(asked.map((answer, place) => answer.then(() => place)));
  assert.ok(heardFirst > 0, "nobody was told before the read had ended");
  for (const answer of await Promise.all(asked)) assertUnavailable(answer);
});

test("a revocation that waits for others too long is to be repeated", async () => {
  const held = await holdChain(db, issued.organizationId, ORGANIZATION_CHAIN);
  try {
    assertUnavailable(await ask("/oauth2/revoke"));
  } finally {
    await held.release();
  }
  assert.deepEqual((await ask("/oauth2/introspect")).body.active, true);
});

test("a check of a secret fails as UNAVAILABLE over gRPC, and never as a refusal", async () => {
  const grpc = overGrpc(h);
  try {
    await whileAway(async () => {
      for (const clientSecret of [issued.secret, unissuedSecret(issued.id), unissuedSecret()]) {
        const headers = { authorization: `Bearer ${bearer}` };
        const heard = await grpc.call(VerificationService.method.verifyCredential, { clientSecret }, headers);
        assert.deepEqual(heard, {
          reason: "DATABASE_UNAVAILABLE",
          metadata: { in_doubt: "false" },
          body: undefined,
        });
      }
    });
  } finally {
    grpc.close();
  }
});

test("a forged secret is refused although the database is away", () =>
  whileAway(async () => {
    const answer = await postToken(h, { form: { ...fieldsOf(issued), client_secret: "forged" } });
    assertOAuthError(answer, 401, "invalid_client");
  }));
