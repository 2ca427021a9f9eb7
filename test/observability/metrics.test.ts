import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { connect as connectTcp } from "node:net";
import { after, before, test } from "node:test";
import { skipWithout, toolNamed } from "../deploy/tool.ts";
import { rest } from "../support/clients.ts";
import { givenIssued } from "../support/issued-credential.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { rawGrpc } from "../support/raw-grpc.ts";
import { eventually, metric } from "../support/stored.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn();
});
after(() => h.stop());

const scraped = async () => (await fetch(`${h.adminUrl}/metrics`)).text();
/** Names and labels of our own, without their values. */
const seriesOf = (text: string) =>
  text
    .split("\n")
    .filter((line) => line.startsWith("keyturn_"))
    .map((line) => line.slice(0, line.lastIndexOf(" ")));

async function grpcTo(path: string, headers: Record<string, string> = {}): Promise<void> {
  const grpc = rawGrpc(h.grpcAddress);
  try {
    const stream = grpc.open({ ":path": path, ...headers });
    stream.on("error", () => {});
    stream.end();
    stream.resume();
    await once(stream, "close");
  } finally {
    grpc.close();
  }
}

async function bytesTo(url: string, bytes: string): Promise<void> {
  const { hostname, port } = new URL(url);
  const socket = connectTcp(Number(port), hostname);
  socket.on("error", () => {});
  socket.resume();
  socket.end(bytes);
  await once(socket, "close");
}

const lineOf = (requestId: string) =>
  h
    .log()
    .split("\n")
    .findLast((text) => text.includes(`"request_id":"${requestId}"`));

/** As a stranger sends it: paths, methods, services and tokens of his own, each time others. */
async function flood(round: string): Promise<void> {
  for (let index = 0; index < 20; index += 1) {
    const word = `${round}-${index}`;
    await rest(h, `/${word}`);
    await rest(h, `/.well-known/${word}`);
    await rest(h, `/docs/${word}`);
    await rest(h, `/v1/regions/global/iam/service-accounts/${word}`, { token: word });
    await rest(h, `/v1/regions/global/iam/service-accounts/${word}`, { method: "PUT" });
    await rest(h, "/keyturn.v1.CredentialService/GetCredential", {
      method: "POST",
      headers: { "content-type": `application/${word}` },
      body: word,
    });
    const form = new URLSearchParams({ grant_type: word, client_id: word, client_secret: word });
    await rest(h, "/oauth2/token", { method: "POST", body: form });
    await grpcTo(`/keyturn.v1.CredentialService/${word}`);
    await grpcTo(`/${word}.v1.Service/Call`);
    await bytesTo(h.httpUrl, `${word}\r\n\r\n`);
  }
}

test("a flood of unknown paths, methods, services, grants and tokens adds no series after its first round", async () => {
  // What is counted beside the calls comes by itself, and later.
  const isCounted = (text: string) => /^keyturn_credentials\{/m.test(text) && text.includes("within_days=");
  await eventually(scraped, isCounted);
  await flood("first");
  const known = seriesOf(await scraped());
  await flood("second");
  const later = seriesOf(await scraped());
  assert.deepEqual(later.sort(), known.sort());
  assert.ok(!later.some((series) => series.includes("second-")));
});

test("what is no call is counted at the gRPC door too, and health checks are not", async () => {
  const before = await metric(h, 'keyturn_unrouted_requests_total{reason="ROUTE_UNKNOWN"}');
  await grpcTo("/nobody.v1.Service/Call");
  await grpcTo("/grpc.health.v1.Health/Check");
  assert.equal(await metric(h, 'keyturn_unrouted_requests_total{reason="ROUTE_UNKNOWN"}'), before + 1);
});

test("bytes that are no request are counted", async () => {
  const before = await metric(h, 'keyturn_unrouted_requests_total{reason="INVALID_ARGUMENT"}');
  await bytesTo(h.httpUrl, "no request\r\n\r\n");
  const counted = () => metric(h, 'keyturn_unrouted_requests_total{reason="INVALID_ARGUMENT"}');
  await eventually(counted, (count) => count === before + 1);
});

test("the OAuth endpoints are counted as the calls that they are, documents by their path", async () => {
  const form = new URLSearchParams({ grant_type: "client_credentials", client_id: "a", client_secret: "b" });
  await rest(h, "/oauth2/token", { method: "POST", body: form });
  const calls =
    'keyturn_calls_total{door="rest",service="TokenService",method="MintToken",code="UNAUTHENTICATED"';
  assert.ok((await metric(h, calls)) >= 1);
  for (const [index, path] of ["/.well-known/jwks.json", "/docs", "/openapi.json"].entries()) {
    const requestId = `document-${index}`;
    const before = await metric(h, `keyturn_documents_total{document="${path}"}`);
    await rest(h, `${path}?by=whoever`, { headers: { "x-request-id": requestId } });
    // The answer is out before it is counted.
    const line = await eventually(
      () => lineOf(requestId),
      (text) => text !== undefined,
    );
    assert.equal(await metric(h, `keyturn_documents_total{document="${path}"}`), before + 1);
    const { msg, level, door, http_status, client_address, path: logged } = JSON.parse(line ?? "{}");
    assert.deepEqual(
      { msg, level, door, http_status, client_address, logged },
      {
        msg: "document",
        level: "info",
        door: "http",
        http_status: 200,
        client_address: "127.0.0.1",
        logged: path,
      },
    );
  }
});

test("credentials are counted by state", async () => {
  const { sql } = h.db;
  const { id } = await givenIssued(h);
  const [ended, gone] = [await givenIssued(h), await givenIssued(h)];
  await sql`update keyturn.credentials set expires_at = now() - interval '1 minute' where id = ${ended.id}`;
  await sql`update keyturn.credentials set deleted_at = now() where id = ${gone.id}`;
  assert.ok(id);
  // Another server, for this one has counted already and takes its time until the next.
  const other = await givenKeyturn({ db: h.db, issuer: h.issuer });
  try {
    const count = (state: string) => metric(other, `keyturn_credentials{state="${state}"}`);
    await eventually(
      () => count("active"),
      (active) => active >= 1,
    );
    assert.deepEqual([await count("active"), await count("expired"), await count("deleted")], [1, 1, 1]);
  } finally {
    await other.stop();
  }
});

test("promtool finds nothing to mend in the metrics", { skip: skipWithout("promtool") }, async () => {
  await givenIssued(h);
  // Those of the client library have names that are not of our choice.
  const text = (await scraped()).replaceAll(/^(# (HELP|TYPE) )?nodejs_.*\n/gm, "");
  const { status, stdout, stderr } = spawnSync(toolNamed("promtool") ?? "", ["check", "metrics"], {
    input: text,
    encoding: "utf8",
  });
  assert.equal(stdout + stderr, "");
  assert.equal(status, 0);
});
