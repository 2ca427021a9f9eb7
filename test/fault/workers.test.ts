import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { after, before, test } from "node:test";
import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { credentialsPath, rest, restCreate } from "../support/clients.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { environment } from "../support/keyturn.ts";
import { metricOf, type ServerProcess, startServer } from "../support/process.ts";
import { overGrpc } from "../support/rpc-callers.ts";

const SKIP = process.platform === "linux" ? false : "finds the workers by /proc, which is Linux's";
const CONNECTIONS = 8;

let db: TestDatabase;
let issuer: TestIssuer;
let server: ServerProcess;

before(async () => {
  if (SKIP !== false) return;
  db = await givenDatabase();
  issuer = await startIssuer();
  server = await startServer({
    ...environment(db.serverUrl, issuer.url),
    KEYTURN_WORKERS: "2",
    KEYTURN_MINT_POOL_SIZE: "8",
  });
  await eventually(isReady);
});
after(async () => {
  await server?.stop();
  await issuer?.stop();
  await db?.drop();
});

const isReady = async () => (await fetch(`http://${server.addresses.admin}/readyz`)).ok;
const http = () => ({ httpUrl: `http://${server.addresses.http}` });
const workerPids = (): number[] =>
  readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, "utf8")
    .split(" ")
    .filter((pid) => pid !== "")
    .map(Number);
const argumentsOf = (pid: number) => readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
const timesListening = () => server.output().split('"msg":"worker listening"').length - 1;

/** Ends a worker and waits for the one that takes its place. */
async function replaceWorker(pid: number, signal: NodeJS.Signals): Promise<void> {
  const before = timesListening();
  process.kill(pid, signal);
  await eventually(() => timesListening() > before);
  assert.equal(workerPids().length, 2);
  assert.equal(workerPids().includes(pid), false);
}

/** A connection to the gRPC door that its server has greeted: it belongs to one of the workers by then. */
function greeted(): Promise<Socket> {
  const [host = "", port] = server.addresses.grpc.split(":");
  const socket = connect({ host, port: Number(port) }).on("error", () => {});
  socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
  return new Promise((resolve) => socket.once("data", () => resolve(socket)));
}

async function givenAdministrator() {
  const { organizationId, id } = await givenAccount(db.sql);
  const token = await issuer.sign({
    claims: { tenant_id: organizationId, roles: ["admin", "verifier"] },
  });
  return { id, token };
}

/** One connection of gRPC after the other, which are given to the workers in turn. */
function givenConnections(token: string) {
  const caller = { grpcAddress: server.addresses.grpc, token: async () => token };
  return [overGrpc(caller), overGrpc(caller)] as const;
}

test("workers are started as their primary was: with a small young generation", { skip: SKIP }, () => {
  assert.equal(workerPids().length, 2);
  for (const pid of workerPids()) {
    assert.ok(argumentsOf(pid).includes("--max-semi-space-size=16"), argumentsOf(pid).join(" "));
    const env = readFileSync(`/proc/${pid}/environ`, "utf8").split("\0");
    for (const set of ["MALLOC_ARENA_MAX=1", "GLIBC_TUNABLES=glibc.malloc.hugetlb=1"])
      assert.ok(env.includes(set), set);
  }
});

test("what both workers answer is added up at the one admin door", { skip: SKIP }, async () => {
  const { token, id } = await givenAdministrator();
  const counted = async () => {
    const text = await (await fetch(`http://${server.addresses.admin}/metrics`)).text();
    const lines = text.split("\n").filter((line) => /^keyturn_calls_total.*"ListCredentials"/.test(line));
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" "))), 0);
  };
  const before = await counted();
  for (let count = 0; count < 20; count += 1) {
    const headers = { connection: "close" };
    assert.equal((await rest(http(), credentialsPath(id), { token, headers })).status, 200);
  }
  assert.equal(await counted(), before + 20);
  assert.equal(await metricOf(server, "keyturn_ready"), 1);
  assert.equal(await metricOf(server, "keyturn_build_info"), 1);
  // Of ten connections and two permits each has half.
  assert.equal(await metricOf(server, "keyturn_database_connections"), 10);
  await eventually(async () => (await metricOf(server, "keyturn_mint_pool_level")) === 8);
});

test("a secret that is deleted through one worker is refused by the other at the next request", {
  skip: SKIP,
}, async () => {
  const { id, token } = await givenAdministrator();
  const authorization = `Bearer ${token}`;
  const connections = givenConnections(token);
  const { method } = VerificationService;
  try {
    for (let round = 0; round < 3; round += 1) {
      const { id: credentialId, clientSecret } = (await restCreate(http(), id, token)).body;
      const verify = () =>
        Promise.all(
          connections.map(async (grpc) => {
            const heard = await grpc.call(method.verifyCredential, { clientSecret }, { authorization });
            return heard.reason === "" ? Object.keys(heard.body as object).join() : heard.reason;
          }),
        );
      assert.deepEqual(await verify(), ["principal", "principal"]);
      const path = `${credentialsPath(id)}/${credentialId}`;
      assert.equal((await rest(http(), path, { method: "DELETE", token })).status, 204);
      assert.deepEqual(await verify(), ["refusal", "refusal"]);
    }
  } finally {
    for (const grpc of connections) grpc.close();
  }
});

test("no call fails while each worker is told to end and replaced", { skip: SKIP }, async () => {
  const { token } = await givenAdministrator();
  const authorization = `Bearer ${token}`;
  const connections = givenConnections(token);
  const { method } = ServiceAccountService;
  const answers = { good: 0, bad: 0 };
  const isAnswered = async (grpc: (typeof connections)[number]) =>
    (await grpc.call(method.listServiceAccounts, {}, { authorization })).body !== undefined;
  let isOver = false;
  const loops = connections.map(async (grpc) => {
    while (!isOver) {
      // A read is repeated once, as service_config.json has it.
      const isGood = (await isAnswered(grpc)) || (await isAnswered(grpc));
      answers[isGood ? "good" : "bad"] += 1;
    }
  });
  try {
    for (const pid of workerPids()) await replaceWorker(pid, "SIGTERM");
  } finally {
    isOver = true;
    await Promise.all(loops);
    for (const grpc of connections) grpc.close();
  }
  assert.equal(answers.bad, 0);
  assert.ok(answers.good > 0);
});

test("connections are shared out evenly, and a worker that is killed comes back while the other serves", {
  skip: SKIP,
}, async () => {
  const sockets: Socket[] = [];
  while (sockets.length < CONNECTIONS) sockets.push(await greeted());
  const [pid = 0] = workerPids();
  const calls = await metricOf(server, "process_cpu_seconds_total");
  await replaceWorker(pid, "SIGKILL");
  const closed = await eventually(() => sockets.filter((socket) => socket.destroyed).length);
  assert.ok(Math.abs(closed - CONNECTIONS / 2) <= 1, `${closed} of ${CONNECTIONS}`);
  assert.match(server.output(), /"worker":\d,.*"signal":"SIGKILL".*"msg":"worker ended"/);
  await eventually(isReady);
  // What the dead one had counted is not taken back: Prometheus would take that for a restart.
  assert.ok(((await metricOf(server, "process_cpu_seconds_total")) ?? 0) >= (calls ?? 0));
  for (const socket of sockets) socket.destroy();
});

test("SIGTERM ends all of them, with exit code 0", { skip: SKIP }, async () => {
  const pids = workerPids();
  assert.equal(await server.stop(), 0);
  for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: "ESRCH" });
  assert.match(server.output(), /"msg":"draining"[\s\S]*"msg":"stopped"/);
});
