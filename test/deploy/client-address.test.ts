import assert from "node:assert/strict";
import { test } from "node:test";
import { type Scope, scopeOf } from "../cli/keyturn-command.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { type CallFrom, grpcCreateFrom, restCreateFrom } from "./calls-from.ts";
import { givenEnvoy } from "./given-envoy.ts";
import { givenNginx } from "./given-nginx.ts";
import { skipWithout } from "./tool.ts";

const EDGE = "127.0.0.1";
const CALLER = "127.0.0.2";
const SPOOFED = {
  "x-forwarded-for": "198.51.100.9, 127.0.0.1",
  "x-real-ip": "198.51.100.9",
  forwarded: "for=198.51.100.9",
};

interface Edge {
  readonly httpUrl: string;
  readonly grpcAddress: string;
}

const EDGES = [
  {
    name: "envoy",
    httpStatus: 200,
    given: (scope: Scope, h: TestKeyturn) => givenEnvoy(scope, h.grpcAddress),
  },
  {
    name: "nginx",
    httpStatus: 201,
    given: (scope: Scope, h: TestKeyturn) =>
      givenNginx(scope, { http: new URL(h.httpUrl).host, grpc: h.grpcAddress }),
  },
];

/** Creates one credential through each way, and gives the addresses that the audit trail has of them. */
async function recorded(
  h: TestKeyturn,
  edge: Edge,
  call: Pick<CallFrom, "localAddress" | "headers">,
  httpStatus: number,
): Promise<string[]> {
  const { organizationId, id: accountId } = await h.givenAccount();
  const given = { ...call, accountId, token: await h.token(organizationId) };
  assert.equal(await restCreateFrom(edge.httpUrl, given), httpStatus);
  assert.equal((await grpcCreateFrom(edge.grpcAddress, given)).code, 0);
  const rows = await h.db.sql<{ client: string }[]>`
    select host(client_address) as client from keyturn.audit_events where organization_id = ${organizationId}`;
  assert.equal(rows.length, 2);
  return rows.map(({ client }) => client);
}

for (const { name, httpStatus, given } of EDGES) {
  const skip = skipWithout(name);
  test(`behind ${name} the client is whoever called it, whatever he forwards, over REST and gRPC`, {
    skip,
  }, async (t) => {
    const scope = scopeOf(t);
    const h = await givenKeyturn({ env: { KEYTURN_TRUSTED_PROXIES: EDGE } });
    scope.after(() => h.stop());
    const edge = await given(scope, h);
    for (const headers of [{}, SPOOFED])
      assert.deepEqual(await recorded(h, edge, { localAddress: CALLER, headers }, httpStatus), [
        CALLER,
        CALLER,
      ]);
  });

  test(`behind ${name} and a proxy before it that is trusted too, the client is whoever called that`, {
    skip,
  }, async (t) => {
    const scope = scopeOf(t);
    const h = await givenKeyturn({ env: { KEYTURN_TRUSTED_PROXIES: `${EDGE},${CALLER}` } });
    scope.after(() => h.stop());
    const edge = await given(scope, h);
    const headers = { "x-forwarded-for": "198.51.100.9, 192.0.2.1" };
    const clients = await recorded(h, edge, { localAddress: CALLER, headers }, httpStatus);
    assert.deepEqual(clients, ["192.0.2.1", "192.0.2.1"]);
  });

  test(`behind a ${name} that is not trusted, the client is ${name} itself`, { skip }, async (t) => {
    const scope = scopeOf(t);
    const h = await givenKeyturn();
    scope.after(() => h.stop());
    const edge = await given(scope, h);
    const clients = await recorded(h, edge, { localAddress: CALLER, headers: SPOOFED }, httpStatus);
    assert.deepEqual(clients, [EDGE, EDGE]);
  });
}

test("whoever goes past the edge is taken for what he is, whatever he forwards", async (t) => {
  const scope = scopeOf(t);
  const h = await givenKeyturn({ env: { KEYTURN_TRUSTED_PROXIES: EDGE } });
  scope.after(() => h.stop());
  const clients = await recorded(h, h, { localAddress: CALLER, headers: SPOOFED }, 201);
  assert.deepEqual(clients, [CALLER, CALLER]);
});
