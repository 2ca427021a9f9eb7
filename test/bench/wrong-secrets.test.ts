import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, type TestContext, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { newCredentialId } from "../../src/domain/secret.ts";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { givenIssued, type IssuedCredential, unissuedSecret } from "../support/issued-credential.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { environment } from "../support/keyturn.ts";
import { metricOf, type ServerProcess, startServer } from "../support/process.ts";
import { type Heard, overGrpc, type RpcCaller } from "../support/rpc-callers.ts";
import { medianOf } from "../support/timing.ts";

const IN_FLIGHT = 64;
/** What is wanted on a machine with nothing else to do. */
const RATIO_WANTED = 2;
/** What no machine may exceed, however busy: a right one that waits behind the hashes takes a hundred times as long. */
const RATIO_MAX = 10;
const ROUNDS = 9;
const SAMPLES = 300;
const WARM_UP = 1_000;
/** A check that waits behind hashes does so every time; a machine that is busy with something else is not. */
const ATTEMPTS = 6;
const HASHES_AT_ONCE_MAX = 3;
const READINGS = 50;
const READING_INTERVAL_MS = 50;
/** What 64 calls and as many hashes in turn may take beyond what the server took before: far less than 64 hashes at once (1.2 GiB). */
const GROWTH_BYTES_MAX = 200 * 1024 * 1024;

let db: TestDatabase;
let issuer: TestIssuer;
let server: ServerProcess;
let issued: IssuedCredential;
let right: RpcCaller;
let wrong: RpcCaller;
let authorization: string;
/** Credentials that there are, each of which is guessed at. */
let guessedAt: string[] = [];
before(async () => {
  db = await givenDatabase();
  issuer = await startIssuer();
  server = await startServer(environment(db.serverUrl, issuer.url));
  const token = (organizationId: string, claims: object = {}) =>
    issuer.sign({ claims: { tenant_id: organizationId, roles: ["admin"], ...claims } });
  issued = await givenIssued({ db, httpUrl: `http://${server.addresses.http}`, token });
  await renewToken();
  guessedAt = Array.from({ length: IN_FLIGHT }, () => newCredentialId(randomBytes));
  await db.sql`
    insert into keyturn.credentials (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at,
                                     expires_at)
    select c.organization_id, c.service_account_id, i.id, c.secret_hash, c.hint, c.created_by, c.created_at, c.expires_at
      from keyturn.credentials c, unnest(${guessedAt}::text[]) i (id) where c.id = ${issued.id}`;
  [right, wrong] = [overGrpc(at()), overGrpc(at())];
  for (let call = 0; call < WARM_UP; call += 1) await useRight();
});
after(async () => {
  right?.close();
  wrong?.close();
  await server?.stop();
  await issuer?.stop();
  await db?.drop();
});

/** It is older than a token may be, before the last attempt. */
async function renewToken(): Promise<void> {
  const claims = { tenant_id: issued.organizationId, roles: ["verifier"] };
  authorization = `Bearer ${await issuer.sign({ claims })}`;
}

const at = () => ({ grpcAddress: server.addresses.grpc });
const { verifyCredential } = VerificationService.method;

async function useRight(): Promise<number> {
  const startedAt = performance.now();
  const { body } = await right.call(verifyCredential, { clientSecret: issued.secret }, { authorization });
  const tookMs = performance.now() - startedAt;
  assert.ok(body?.principal, "the right secret was refused");
  return tookMs;
}

async function timesOfRight(): Promise<number[]> {
  const times: number[] = [];
  for (let call = 0; call < SAMPLES; call += 1) times.push(await useRight());
  return times;
}

let sources = 0;

/** From somewhere else each time, or the throttle would answer in the place of argon2. */
function guess(credentialId: string): Promise<Heard> {
  sources += 1;
  const sourceIp = `10.${(sources >> 16) & 255}.${(sources >> 8) & 255}.${sources & 255}`;
  const clientSecret = unissuedSecret(credentialId);
  return wrong.call(verifyCredential, { clientSecret, sourceIp }, { authorization });
}

/** Runs the work while there are always as many guesses in flight, each of which argon2 answers. */
async function amidGuesses<T>(work: () => Promise<T>): Promise<T> {
  let isOver = false;
  const answers: Heard[] = [];
  const guessing = guessedAt.map(async (credentialId) => {
    while (!isOver) answers.push(await guess(credentialId));
  });
  const before = await hashes();
  try {
    return await work();
  } finally {
    isOver = true;
    await Promise.all(guessing);
    const refused = answers.filter(({ body }) => body?.refusal !== undefined);
    // On a machine that is busy with something else, the last of so many may be too late, or find no room.
    for (const { reason } of answers)
      assert.ok(["", "DEADLINE_EXCEEDED", "OVERLOADED"].includes(reason), reason);
    assert.ok(refused.length > 0, "no guess was answered");
    // Those that had begun before the first reading are missing in it.
    assert.ok((await hashes()) - before >= refused.length - HASHES_AT_ONCE_MAX, "argon2 was not asked");
  }
}

const hashes = async () => (await metricOf(server, "keyturn_check_hash_wait_seconds_count")) ?? 0;

const p99Of = (times: readonly number[]): number =>
  times.toSorted((one, other) => one - other)[Math.floor(times.length * 0.99)] ?? Number.NaN;

/** The median over rounds of how much longer the slowest hundredth takes amid guesses than without. */
async function measure(t: TestContext): Promise<number> {
  const rounds: { readonly alone: number; readonly amid: number }[] = [];
  await renewToken();
  for (let round = 0; round < ROUNDS; round += 1) {
    const alone = p99Of(await timesOfRight());
    rounds.push({ alone, amid: p99Of(await amidGuesses(timesOfRight)) });
  }
  const ratio = medianOf(rounds.map(({ alone, amid }) => amid / alone));
  const [alone, amid] = [medianOf(rounds.map((at) => at.alone)), medianOf(rounds.map((at) => at.amid))];
  t.diagnostic(
    `p99 ${alone.toFixed(2)} ms alone, ${amid.toFixed(2)} ms amid guesses, ratio ${ratio.toFixed(2)}`,
  );
  return ratio;
}

test(`${IN_FLIGHT} wrong secrets in flight leave a right one's p99 where it was, as far as the machine lets it be seen`, async (t) => {
  let ratio = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < ATTEMPTS && ratio > RATIO_WANTED; attempt += 1)
    ratio = Math.min(ratio, await measure(t));
  t.diagnostic(`ratio ${ratio.toFixed(2)}, wanted ${RATIO_WANTED}`);
  assert.ok(ratio <= RATIO_MAX, `ratio ${ratio.toFixed(2)}`);
});

test(`the memory for ${IN_FLIGHT} wrong secrets in flight is that of the hashes that are made at once`, async (t) => {
  const memory = async () => (await metricOf(server, "process_resident_memory_bytes")) ?? 0;
  await renewToken();
  const before = await memory();
  const most = await amidGuesses(async () => {
    let highest = 0;
    for (let reading = 0; reading < READINGS; reading += 1) {
      highest = Math.max(highest, await memory());
      await delay(READING_INTERVAL_MS);
    }
    return highest;
  });
  t.diagnostic(`${Math.round((most - before) / 2 ** 20)} MiB more`);
  assert.ok(most - before <= GROWTH_BYTES_MAX, `${most - before} bytes`);
});
