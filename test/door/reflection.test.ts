import assert from "node:assert/strict";
import { test } from "node:test";
import { Client, credentials, status } from "@grpc/grpc-js";
import { SERVICES } from "../../src/rpc/services.ts";
import { givenKeyturn } from "../support/keyturn.ts";

/** `ServerReflectionRequest` with `list_services` (field 7) set. */
const LIST_SERVICES = Buffer.from([0x3a, 0x00]);
const VERSIONS = ["v1", "v1alpha"];

/** The first answer, in bytes: names stand in it as they are. */
function listServices(address: string, version: string): Promise<string> {
  const client = new Client(address, credentials.createInsecure());
  const asIs = (bytes: Buffer) => bytes;
  const path = `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`;
  const call = client.makeBidiStreamRequest(path, asIs, asIs);
  call.write(LIST_SERVICES);
  call.end();
  return new Promise<string>((resolve, reject) => {
    call.on("data", (bytes: Buffer) => resolve(bytes.toString("latin1")));
    call.on("error", reject);
  }).finally(() => client.close());
}

test("reflection lists every service, as v1 and as v1alpha", async () => {
  const h = await givenKeyturn({ env: { KEYTURN_REFLECTION: "true" } });
  for (const version of VERSIONS) {
    const listed = await listServices(h.grpcAddress, version);
    for (const { typeName } of Object.values(SERVICES)) assert.ok(listed.includes(typeName), typeName);
  }
  await h.stop();
});

test("a server that is told so answers no reflection", async () => {
  const h = await givenKeyturn({ env: { KEYTURN_REFLECTION: "false" } });
  for (const version of VERSIONS)
    await assert.rejects(listServices(h.grpcAddress, version), { code: status.UNIMPLEMENTED });
  await h.stop();
});
