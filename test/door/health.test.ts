import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, credentials, status } from "@grpc/grpc-js";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

let h: TestKeyturn;
let client: Client;
before(async () => {
  h = await givenKeyturn();
  client = new Client(h.grpcAddress, credentials.createInsecure());
});
after(async () => {
  client.close();
  await h.stop();
});

/** `HealthCheckRequest` has one field, the service's name; the answer one, its status: 1 is SERVING. */
function check(service: string): Promise<number> {
  const request = Buffer.concat([Buffer.from([0x0a, service.length]), Buffer.from(service)]);
  return new Promise((resolve, reject) => {
    client.makeUnaryRequest(
      "/grpc.health.v1.Health/Check",
      (bytes: Buffer) => bytes,
      (bytes: Buffer) => bytes.at(-1) ?? 0,
      request,
      (err, answer) => (err === null ? resolve(answer ?? 0) : reject(err)),
    );
  });
}

test("the server and each of its services are SERVING, for callers without a token", async () => {
  assert.equal(await check(""), 1);
  assert.equal(await check("keyturn.v1.CredentialService"), 1);
});

test("the health of a service that there is none of is NOT_FOUND", async () => {
  await assert.rejects(check("keyturn.v1.Nothing"), { code: status.NOT_FOUND });
});
