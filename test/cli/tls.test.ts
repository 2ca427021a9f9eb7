import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { credentials } from "@grpc/grpc-js";
import { givenAuthority } from "../support/authority.ts";
import { credentialsPath } from "../support/clients.ts";
import { givenAccount, givenDatabase } from "../support/database.ts";
import { eventually } from "../support/eventually.ts";
import { healthClient } from "../support/health-client.ts";
import { startIssuer } from "../support/issuer.ts";
import { environment } from "../support/keyturn.ts";
import { startServer } from "../support/process.ts";

const GATEWAY = "URI:spiffe://example.org/gateway";
const DOORS = ["GRPC", "HTTP", "ADMIN"];

test("a server has TLS at its three doors, knows a gateway by its certificate, and takes new ones without a restart", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "keyturn-tls-"));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const authority = givenAuthority();
  const write = (files: Readonly<Record<string, string>>) => {
    for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  };
  write({ ...authority.issue(), ca: authority.cert });
  const [db, issuer] = [await givenDatabase(), await startIssuer()];
  t.after(() => Promise.all([db.drop(), issuer.stop()]));
  const { organizationId, id } = await givenAccount(db.sql);
  const tls = DOORS.flatMap((door) => [
    [`KEYTURN_${door}_CERT_FILE`, join(folder, "cert")],
    [`KEYTURN_${door}_KEY_FILE`, join(folder, "key")],
    [`KEYTURN_${door}_CLIENT_CA_FILE`, join(folder, "ca")],
  ]);
  const server = await startServer({
    ...environment(db.serverUrl, issuer.url),
    ...Object.fromEntries(tls),
    KEYTURN_CERTIFICATE_RELOAD: "1s",
    KEYTURN_CLIENT_CERTIFICATE_CALLERS: JSON.stringify({
      [GATEWAY]: { organization: organizationId, roles: ["admin"] },
    }),
  });
  t.after(() => server.stop());
  const { http, admin, grpc } = server.addresses;
  const client = authority.issue({ names: [GATEWAY] });
  const shown = { ca: authority.cert, ...client };

  const health = healthClient(
    grpc,
    credentials.createSsl(Buffer.from(authority.cert), Buffer.from(client.key), Buffer.from(client.cert)),
  );
  assert.equal(await eventually(async () => (await health.check("")) === "SERVING"), true);
  health.close();
  assert.equal((await sent(`https://${http}${credentialsPath(id)}`, "POST", shown)).status, 201);
  const [row] = await db.sql`
    select actor_issuer, actor_subject from keyturn.audit_events where organization_id = ${organizationId}`;
  assert.deepEqual({ ...row }, { actor_issuer: "mtls", actor_subject: GATEWAY });

  const metric = async (name: string) => {
    const { body } = await sent(`https://${admin}/metrics`, "GET", shown);
    return body
      .split("\n")
      .find((line) => line.startsWith(name))
      ?.split(" ")[1];
  };
  assert.ok(
    Number(await metric('keyturn_certificate_expiry_timestamp_seconds{door="http"}')) > Date.now() / 1000,
  );
  write({ cert: "geheim" });
  const reloads = 'keyturn_certificate_reloads_total{door="http",outcome=';
  await eventually(async () => (await metric(`${reloads}"refused"}`)) === "1");
  assert.equal((await sent(`https://${http}${credentialsPath(id)}`, "POST", shown)).status, 201);
  await eventually(() => server.output().includes('"msg":"certificate refused, the last one stays"'));
  write({ ...authority.issue() });
  await eventually(async () => (await metric(`${reloads}"loaded"}`)) === "1");
  assert.doesNotMatch(server.output(), /geheim/);
});

async function sent(url: string, method: string, shown: object) {
  return new Promise<{ readonly status: number; readonly body: string }>((resolve, reject) => {
    const req = request(url, { ...shown, method, agent: false });
    req.on("response", async (res) => resolve({ status: res.statusCode ?? 0, body: await text(res) }));
    req.on("error", reject);
    req.end();
  });
}
