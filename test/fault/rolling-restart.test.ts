import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { create, type DescMethodUnary, fromBinary, type MessageShape, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, Metadata } from "@grpc/grpc-js";
import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import { credentialsPath, rest } from "../support/clients.ts";
import { givenAccount, givenDatabase, type TestDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { environment } from "../support/keyturn.ts";
import { type Replicas, startReplicas } from "../support/replicas.ts";

const SKIP = process.platform === "win32" ? "needs the signals of POSIX" : false;
const GRPC_WORKERS = 12;
const HTTP_WORKERS = 4;
const TRIES = 8;

let db: TestDatabase;
let issuer: TestIssuer;
let replicas: Replicas;

before(async () => {
  if (SKIP !== false) return;
  db = await givenDatabase();
  issuer = await startIssuer();
  replicas = await startReplicas(3, {
    ...environment(db.serverUrl, issuer.url),
    KEYTURN_DRAIN_GRACE: "1s",
    // One for each caller: on a slow machine nobody is sent away for having waited.
    KEYTURN_DATABASE_CONNECTIONS_MAX: String(2 * (GRPC_WORKERS + HTTP_WORKERS)),
  });
});
after(async () => {
  await replicas?.stop();
  await issuer?.stop();
  await db?.drop();
});

/** A client of all replicas, with the service config that is published and nothing of its own. */
function publishedClient() {
  const client = new Client(`ipv4:${replicas.grpc.join(",")}`, credentials.createInsecure(), {
    "grpc.service_config": readFileSync("service_config.json", "utf8"),
  });
  const call = <M extends DescMethodUnary>(
    token: string,
    method: M,
    request: Fields,
  ): Promise<MessageShape<M["output"]>> =>
    new Promise((resolve, reject) => {
      const metadata = new Metadata();
      metadata.set("authorization", `Bearer ${token}`);
      client.makeUnaryRequest(
        `/${method.parent.typeName}/${method.name}`,
        (message: Fields) => Buffer.from(toBinary(method.input, create(method.input, message))),
        (bytes: Buffer) => fromBinary(method.output, bytes) as MessageShape<M["output"]>,
        request,
        metadata,
        (err, answer) => (err === null && answer !== undefined ? resolve(answer) : reject(err)),
      );
    });
  return { call, close: () => client.close() };
}

type Fields = Record<string, unknown>;
type GrpcCalls = ReturnType<typeof publishedClient>;

/** A change, which nobody repeats, and then a look at it. */
async function overGrpc({ call }: GrpcCalls, token: string): Promise<void> {
  const id = `sa-${randomUUID()}`;
  const { method } = ServiceAccountService;
  await call(token, method.createServiceAccount, { id, displayName: "rolling" });
  await call(token, method.getServiceAccount, { id });
}

/** A change that may be repeated, by its key, and then its end. */
async function overHttp(accountId: string, token: string): Promise<void> {
  const headers = { "content-type": "application/json", "idempotency-key": randomUUID() };
  const created = await sent(
    credentialsPath(accountId),
    { method: "POST", headers, body: "{}", token },
    [201],
  );
  const path = `${credentialsPath(accountId)}/${created.body.id}`;
  await sent(path, { token }, [200]);
  // One that is repeated after its answer was lost finds nothing any more.
  await sent(path, { method: "DELETE", token }, [200, 204, 404]);
}

let turn = 0;

/** The ordinary retry: when there is no answer, or 503, the next server is asked after a while. */
async function sent(path: string, init: RequestInit & { readonly token: string }, good: readonly number[]) {
  for (let tries = 1; ; tries += 1) {
    turn += 1;
    const httpUrl = replicas.httpUrls[turn % replicas.httpUrls.length] as string;
    const res = await rest({ httpUrl }, path, init).catch((err: unknown) => err as Error);
    if (!(res instanceof Error) && good.includes(res.status)) return res;
    const isFinal = !(res instanceof Error) && res.status !== 503;
    if (isFinal || tries === TRIES) throw res instanceof Error ? res : new Error(`${res.status} ${res.text}`);
    await delay(50 * tries);
  }
}

test("no call fails, neither over gRPC nor over HTTP, while three servers are restarted one after another", {
  skip: SKIP,
}, async () => {
  const client = publishedClient();
  const failures: string[] = [];
  const counts = { grpc: 0, http: 0 };
  let isOver = false;
  const worker = async (door: keyof typeof counts, work: () => Promise<void>) => {
    while (!isOver) {
      await work().then(
        () => (counts[door] += 1),
        (err) => failures.push(String(err)),
      );
    }
  };
  // Each in an organization of his own: nobody waits for another's lock.
  const workers = Array.from({ length: GRPC_WORKERS + HTTP_WORKERS }, async (_, index) => {
    const { organizationId, id } = await givenAccount(db.sql);
    const token = await issuer.sign({ claims: { tenant_id: organizationId, roles: ["admin"] } });
    await (index < GRPC_WORKERS
      ? worker("grpc", () => overGrpc(client, token))
      : worker("http", () => overHttp(id, token)));
  });
  try {
    for (const index of replicas.grpc.keys()) {
      const before = { ...counts };
      assert.equal(await replicas.restart(index), 0);
      assert.deepEqual(failures, [], `${failures.length} failed beside ${JSON.stringify(counts)}`);
      for (const door of ["grpc", "http"] as const)
        assert.ok(counts[door] > before[door], `${door} answered meanwhile`);
    }
  } finally {
    isOver = true;
    await Promise.all(workers);
    client.close();
  }
  assert.deepEqual(failures, [], `${failures.length} failed beside ${JSON.stringify(counts)}`);
});

test("a second SIGTERM ends a server that drains at once, with an exit code that is not 0", {
  skip: SKIP,
}, async () => {
  const [first] = replicas.processes();
  assert.ok(first);
  process.kill(first.pid, "SIGTERM");
  await eventually(() => first.output().includes('"msg":"draining"'));
  process.kill(first.pid, "SIGTERM");
  assert.equal(await first.exited, 1);
  assert.doesNotMatch(first.output(), /"msg":"stopped"/);
});
