import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { after, before, test } from "node:test";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { credentialsPath, rest } from "../support/clients.ts";
import { forgedSecret } from "../support/forgery.ts";
import { givenIssued, type IssuedCredential } from "../support/issued-credential.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { overConnect, overGrpc } from "../support/rpc-callers.ts";
import { searchFor } from "../support/secret-search.ts";
import { eventually } from "../support/stored.ts";
import { startWebhookReceiver } from "../support/webhook-receiver.ts";
import { type SentSpan, startCollector, type TestCollector } from "./collector.ts";

const [INTERNAL, SERVER, CLIENT] = [1, 2, 3];
const { verifyCredential } = VerificationService.method;
const { getCredential } = CredentialService.method;

const WEBHOOK_SECRET = `whsec_${Buffer.alloc(32, 9).toString("base64")}`;

/** A call's own trace, as its caller begins it. */
interface Trace {
  readonly traceId: string;
  readonly spanId: string;
  readonly header: string;
}

function begin(flags = "01"): Trace {
  const [traceId, spanId] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  return { traceId, spanId, header: `00-${traceId}-${spanId}-${flags}` };
}

let h: TestKeyturn;
let collector: TestCollector;
let issued: IssuedCredential;
const canaries: string[] = [];
const traces = {
  create: begin(),
  verify: begin(),
  known: begin(),
  wrong: begin(),
  connect: begin(),
  mint: begin(),
  refused: begin(),
  unsampled: begin("00"),
};
let own: SentSpan[];
let log: string;
let traceparents: readonly (string | undefined)[];
let sentEvents: readonly (string | undefined)[];

/** Everything is sent when the server has stopped. */
before(async () => {
  collector = await startCollector();
  const webhook = await startWebhookReceiver();
  h = await givenKeyturn({
    env: {
      OTEL_EXPORTER_OTLP_ENDPOINT: `${collector.url}/`,
      OTEL_SERVICE_NAME: "keyturn-test",
      KEYTURN_WEBHOOK_URL: webhook.url,
      KEYTURN_WEBHOOK_SECRETS: WEBHOOK_SECRET,
      OTEL_RESOURCE_ATTRIBUTES: "deployment.environment.name=a%20test,service.name=another",
    },
  });
  const grpc = overGrpc(h);
  const connect = overConnect(h, "Connect JSON");
  try {
    issued = await givenIssued(h);
    const { organizationId, accountId, id, secret, clientId } = issued;
    const token = await h.token(organizationId);
    const bearer = (trace: Trace, value = token) => ({
      authorization: `Bearer ${value}`,
      traceparent: trace.header,
      tracestate: "vendor=canary-of-tracestate",
      baggage: "session=canary-of-baggage",
    });
    const created = await rest(h, credentialsPath(accountId), {
      method: "POST",
      headers: { ...bearer(traces.create), "content-type": "application/json" },
      body: JSON.stringify({ displayName: "canary of a name" }),
    });
    assert.equal(created.status, 201);
    const verifier = await h.token(organizationId, { roles: ["verifier"] });
    const asked = { clientSecret: secret };
    for (const trace of [traces.verify, traces.known])
      assert.equal((await grpc.call(verifyCredential, asked, bearer(trace, verifier))).reason, "");
    const forged = forgedSecret(id);
    await grpc.call(verifyCredential, { clientSecret: forged }, bearer(traces.wrong, verifier));
    await connect.call(getCredential, { serviceAccountId: accountId, id }, bearer(traces.connect));
    const minted = await rest(h, "/oauth2/token", {
      method: "POST",
      headers: { traceparent: traces.mint.header },
      body: new URLSearchParams({
        grant_type: "client_credentials",
        client_id: clientId,
        client_secret: secret,
      }),
    });
    assert.equal(minted.status, 200);
    await rest(h, credentialsPath(accountId), { headers: bearer(traces.refused, `${token}x`) });
    await rest(h, credentialsPath(accountId), { headers: bearer(traces.unsampled) });
    canaries.push(
      token,
      verifier,
      secret.slice(-60),
      forged.slice(-60),
      created.body.clientSecret.slice(-60),
    );
    canaries.push(minted.body.access_token, "canary of a name", "canary-of-tracestate", "canary-of-baggage");
    await eventually(
      () => webhook.accepted.length,
      (count) => count >= 2,
    );
  } finally {
    grpc.close();
    connect.close();
    log = h.log();
    traceparents = h.issuer.traceparents;
    sentEvents = webhook.received.map(({ headers }) => headers["traceparent"]?.toString());
    await h.stop();
    await webhook.stop();
  }
  own = [...collector.spans()];
});
after(() => collector?.stop());

const spansOf = ({ traceId }: Trace) => own.filter((span) => span.traceId === traceId);
const serverSpanOf = (trace: Trace): SentSpan => {
  const [span, ...more] = spansOf(trace).filter(({ kind }) => kind === SERVER);
  assert.deepEqual([span?.parentSpanId, more], [trace.spanId, []]);
  return span as SentSpan;
};
/** There is nothing below them. */
const childrenOf = (trace: Trace) => {
  const { spanId } = serverSpanOf(trace);
  const children = spansOf(trace).filter(({ parentSpanId }) => parentSpanId === spanId);
  assert.equal(children.length, spansOf(trace).length - 1);
  return children;
};
const namesOf = (trace: Trace) =>
  childrenOf(trace)
    .map(({ name }) => name)
    .sort();

test("a create over REST is one server span below the caller's, with authentication and one statement below it", () => {
  const { name, attributes, isError, resource } = serverSpanOf(traces.create);
  const route = "/v1/regions/global/iam/service-accounts/{service_account_id}/credentials";
  assert.equal(name, `POST ${route}`);
  const { "keyturn.request_id": requestId, ...rest } = attributes;
  assert.match(String(requestId), /^[0-9a-f-]{36}$/);
  assert.deepEqual(rest, {
    "rpc.method": "keyturn.v1.CredentialService/CreateCredential",
    "http.request.method": "POST",
    "http.route": route,
    "http.response.status_code": 201,
    "keyturn.door": "rest",
    "keyturn.organization_id": issued.organizationId,
  });
  assert.equal(isError, false);
  assert.equal(resource["service.name"], "keyturn-test");
  assert.equal(resource["deployment.environment.name"], "a test");
  assert.deepEqual(namesOf(traces.create), ["SELECT create_credential", "authenticate"]);
  const [statement] = childrenOf(traces.create).filter(({ kind }) => kind === CLIENT);
  const { "keyturn.wait_ms": waitMs, ...database } = statement?.attributes ?? {};
  assert.equal(typeof waitMs, "number");
  assert.deepEqual(database, {
    "db.system.name": "postgresql",
    "db.operation.name": "SELECT",
    "db.stored_procedure.name": "create_credential",
  });
});

test("the first check of a secret over gRPC has its read and its hash with the wait for it, the next has no hash", () => {
  const { name, attributes } = serverSpanOf(traces.verify);
  assert.equal(name, "keyturn.v1.VerificationService/VerifyCredential");
  assert.equal(attributes["rpc.system.name"], "grpc");
  assert.equal(attributes["rpc.response.status_code"], "OK");
  assert.deepEqual(namesOf(traces.verify), ["SELECT credential_checks", "argon2id", "authenticate"]);
  const hash = childrenOf(traces.verify).find((span) => span.name === "argon2id");
  assert.equal(hash?.kind, INTERNAL);
  assert.equal(typeof hash?.attributes["keyturn.wait_ms"], "number");
  const read = childrenOf(traces.verify).find((span) => span.name === "SELECT credential_checks");
  assert.equal(read?.attributes["keyturn.shared"], true);
  assert.deepEqual(namesOf(traces.known), ["SELECT credential_checks", "authenticate"]);
});

test("a secret that is refused is no error of the server, and its span says why", () => {
  const { attributes, isError } = serverSpanOf(traces.wrong);
  assert.equal(isError, false);
  assert.equal(attributes["keyturn.inner"], "forged");
});

test("Connect and the OAuth endpoints are traced as what they are", () => {
  const connect = serverSpanOf(traces.connect);
  assert.equal(connect.attributes["rpc.system.name"], "connectrpc");
  assert.equal(connect.attributes["http.response.status_code"], 200);
  const mint = serverSpanOf(traces.mint);
  assert.equal(mint.name, "POST /oauth2/token");
  assert.ok(namesOf(traces.mint).includes("SELECT credential_checks"), `${namesOf(traces.mint)}`);
});

test("a token that is refused has its span too, and nothing behind it", () => {
  const { attributes, isError } = serverSpanOf(traces.refused);
  assert.deepEqual([attributes["http.response.status_code"], isError], [401, false]);
  assert.deepEqual(namesOf(traces.refused), ["authenticate"]);
});

test("a caller whose trace nobody keeps leaves no span, and its trace id in the log all the same", () => {
  assert.deepEqual(spansOf(traces.unsampled), []);
  for (const trace of Object.values(traces)) {
    const lines = log.split("\n").filter((line) => line.includes(`"trace_id":"${trace.traceId}"`));
    assert.equal(lines.length, 1);
  }
});

test("the webhook is told below which span an event is sent, whatever trace the change was of", () => {
  const sent = own.filter(({ name }) => name === "POST");
  const told = sent.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`);
  assert.ok(sentEvents.length >= 2);
  for (const traceparent of sentEvents) assert.ok(traceparent !== undefined && told.includes(traceparent));
  assert.deepEqual(
    new Set(sent.map(({ attributes }) => attributes["http.response.status_code"])),
    new Set([204]),
  );
});

test("the issuer is told below which span its keys are fetched, and nothing else of it", () => {
  const fetches = own.filter(({ name }) => name === "GET");
  assert.ok(fetches.length > 0);
  const told = fetches.map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`);
  for (const traceparent of traceparents) assert.ok(traceparent !== undefined && told.includes(traceparent));
  for (const { attributes, kind } of fetches)
    assert.deepEqual(
      { ...attributes, kind },
      {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "127.0.0.1",
        "url.scheme": "http",
        kind: CLIENT,
      },
    );
});

/** As `src/domain/span.ts` has them: whoever adds one adds it here. */
const ALLOWED =
  /^(rpc\.(system\.name|method|response\.status_code)|http\.(request\.method|route|response\.status_code)|url\.scheme|server\.address|error\.type|db\.(system\.name|operation\.name|stored_procedure\.name|collection\.name)|keyturn\.(door|request_id|reason|inner|organization_id|wait_ms|shared))$/;

test("spans have attributes of the list only, and nothing that was sent is in any of them", () => {
  assert.ok(own.length > 20);
  const keys = new Set(own.flatMap(({ attributes }) => Object.keys(attributes)));
  assert.deepEqual(
    [...keys].filter((key) => !ALLOWED.test(key)),
    [],
  );
  assert.deepEqual(searchFor(canaries).find(collector.posted()), []);
});

test("statements of no call, such as those of the sweeper, have no spans", () => {
  const statements = own.filter(({ attributes }) => attributes["db.system.name"] !== undefined);
  assert.ok(statements.length > 0);
  assert.deepEqual(
    statements.filter(({ parentSpanId }) => parentSpanId === ""),
    [],
  );
});
