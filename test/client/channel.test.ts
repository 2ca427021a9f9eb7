import assert from "node:assert/strict";
import { after, test } from "node:test";
import { create, toBinary } from "@bufbuild/protobuf";
import { type handleUnaryCall, Server, ServerCredentials, status } from "@grpc/grpc-js";
import { CredentialPolicySchema } from "../../gen/keyturn/v1/credential_policy_pb.ts";
import { CredentialPolicyService } from "../../gen/keyturn/v1/credential_policy_service_pb.ts";
import {
  CreateCredentialResponseSchema,
  CredentialService,
} from "../../gen/keyturn/v1/credential_service_pb.ts";
import { KeyturnError } from "../../src/client/call-error.ts";
import { openChannel } from "../../src/client/channel.ts";
import { scopeOf } from "../cli/keyturn-command.ts";

const scope = scopeOf({ after });

/** A server that is out of reach for the first calls, and counts all of them. */
async function givenFlakyService({ failures }: { readonly failures: number }) {
  const server = new Server();
  let callCount = 0;
  const answering =
    (bytes: Uint8Array): handleUnaryCall<Buffer, Buffer> =>
    (_call, respond) => {
      callCount += 1;
      if (callCount <= failures) respond({ code: status.UNAVAILABLE, details: "later" });
      else respond(null, Buffer.from(bytes));
    };
  const asIs = (bytes: Buffer) => bytes;
  const { getCredentialPolicy } = CredentialPolicyService.method;
  const { createCredential } = CredentialService.method;
  const answers = [
    [getCredentialPolicy, toBinary(CredentialPolicySchema, create(CredentialPolicySchema, { etag: "e" }))],
    [createCredential, toBinary(CreateCredentialResponseSchema, create(CreateCredentialResponseSchema, {}))],
  ] as const;
  for (const [{ parent, name }, bytes] of answers)
    server.register(`/${parent.typeName}/${name}`, answering(bytes), asIs, asIs, "unary");
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (err, bound) =>
      err ? reject(err) : resolve(bound),
    ),
  );
  const channel = openChannel({ address: `127.0.0.1:${port}` });
  scope.after(() => {
    channel.close();
    server.forceShutdown();
  });
  return { channel, callCount: () => callCount };
}

test("a read of a service that is away for a moment is repeated, as the published service config says", async () => {
  const { channel, callCount } = await givenFlakyService({ failures: 2 });
  const { etag } = await channel.call(CredentialPolicyService.method.getCredentialPolicy, {});
  assert.deepEqual([etag, callCount()], ["e", 3]);
});

test("a create is not repeated behind its caller's back", async () => {
  const { channel, callCount } = await givenFlakyService({ failures: 1 });
  const creating = channel.call(CredentialService.method.createCredential, { serviceAccountId: "sa-one" });
  await assert.rejects(creating, (err) => {
    assert.ok(err instanceof KeyturnError);
    assert.deepEqual([err.code, err.message, err.isRefusal], ["UNAVAILABLE", "later", false]);
    return true;
  });
  assert.equal(callCount(), 1);
});
