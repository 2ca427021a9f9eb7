import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { TokenService } from "../../gen/keyturn/v1/token_service_pb.ts";
import type { RestAnswer } from "../support/clients.ts";
import { givenIssued, type IssuedCredential, unissuedSecret } from "../support/issued-credential.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { overGrpc } from "../support/rpc-callers.ts";
import { assertOAuthError, fieldsOf, postToken } from "../support/token-endpoint.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn({ env: { KEYTURN_TRUSTED_PROXIES: "127.0.0.1" } });
});
after(() => h.stop());

const addresses = Array.from({ length: 50 }, (_, n) => `192.0.2.${n + 1}`).values();
/** Each test has addresses of its own. */
const anyAddress = (): string => addresses.next().value ?? "";

const from = (client: string, { clientId }: IssuedCredential, secret: string): Promise<RestAnswer> =>
  postToken(h, { form: fieldsOf({ clientId, secret }), headers: { "x-forwarded-for": client } });

/** Guesses at one credential until the answer is not that the guess is wrong any more. */
async function guessUntilThrottled(client: string, issued: IssuedCredential): Promise<number> {
  for (let guesses = 1; ; guesses += 1) {
    const answer = await from(client, issued, unissuedSecret(issued.id));
    if (answer.status !== 401) return guesses;
    assert.ok(guesses < 100, "guesses are throttled");
  }
}

function assertThrottled(answer: RestAnswer): void {
  assertOAuthError(answer, 429, "temporarily_unavailable");
  assert.match(answer.headers.get("retry-after") ?? "", /^[1-9]\d?$/);
  assert.equal(answer.headers.get("www-authenticate"), null);
}

test("ten wrong secrets of a credential from one address are answered, and then that address has to wait", async () => {
  const issued = await givenIssued(h);
  const client = anyAddress();
  const guesses = await guessUntilThrottled(client, issued);
  // One more is answered for every ten seconds that this takes.
  assert.ok(guesses > 10 && guesses < 40, `${guesses}`);
  assertThrottled(await from(client, issued, unissuedSecret(issued.id)));
});

test("no more of them are answered when they all come at the same moment", async () => {
  const issued = await givenIssued(h);
  const client = anyAddress();
  const burst = Array.from({ length: 60 }, () => from(client, issued, unissuedSecret(issued.id)));
  const answered = (await Promise.all(burst)).filter(({ status }) => status === 401).length;
  // One more for every ten seconds that this takes.
  assert.ok(answered >= 10 && answered < 20, `${answered}`);
});

test("the right secret works from elsewhere, and once this server knows it also where too many wrong ones came from", async () => {
  const issued = await givenIssued(h);
  const guesser = anyAddress();
  await guessUntilThrottled(guesser, issued);
  assertThrottled(await from(guesser, issued, issued.secret));
  assert.equal((await from(anyAddress(), issued, issued.secret)).status, 200);
  assert.equal((await from(guesser, issued, issued.secret)).status, 200);
  assertThrottled(await from(guesser, issued, unissuedSecret(issued.id)));
});

test("another credential goes on to be asked for where one was guessed at", async () => {
  const [guessed, other] = [await givenIssued(h), await givenIssued(h)];
  const client = anyAddress();
  await guessUntilThrottled(client, guessed);
  assert.equal((await from(client, other, other.secret)).status, 200);
});

test("whoever forges secrets by the dozen has to wait with forged ones, and with no other", async () => {
  const issued = await givenIssued(h);
  const [forger, elsewhere] = [anyAddress(), anyAddress()];
  for (let n = 0; n < 5; n += 1) {
    const forged = await Promise.all(Array.from({ length: 40 }, () => from(forger, issued, "forged")));
    const throttled = forged.filter(({ status }) => status !== 401);
    for (const answer of throttled) assertThrottled(answer);
    if (n === 0) assert.equal(throttled.length, 0);
    if (n === 4) assert.notEqual(throttled.length, 0);
  }
  assertOAuthError(await from(elsewhere, issued, "forged"), 401, "invalid_client");
  assert.equal((await from(forger, issued, issued.secret)).status, 200);
});

test("all addresses of an IPv6 network of 64 bits are one source, however they are spelt", async () => {
  const issued = await givenIssued(h);
  await guessUntilThrottled("2001:db8:7:1::1", issued);
  assertThrottled(await from("2001:DB8:7:1:ffff:0:0:2", issued, issued.secret));
  assert.equal((await from("2001:db8:7:2::1", issued, issued.secret)).status, 200);
});

test("over gRPC it is RESOURCE_EXHAUSTED with the reason TOO_MANY_ATTEMPTS, and the same account of guesses", async () => {
  const issued = await givenIssued(h);
  const client = anyAddress();
  await guessUntilThrottled(client, issued);
  const grpc = overGrpc(h);
  try {
    const req = { grantType: "client_credentials", clientId: issued.clientId, clientSecret: issued.secret };
    const heard = (forwarded: string) =>
      grpc.call(TokenService.method.mintToken, req, { "x-forwarded-for": forwarded });
    assert.equal((await heard(client)).reason, "TOO_MANY_ATTEMPTS");
    assert.equal((await heard(anyAddress())).reason, "");
  } finally {
    grpc.close();
  }
});
