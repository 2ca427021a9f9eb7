import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Client, credentials, getChannelzServiceDefinition, status } from "@grpc/grpc-js";
import { grpcClient } from "../support/clients.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";

let h: TestKeyturn;
before(async () => {
  h = await givenKeyturn({ env: { KEYTURN_CHANNELZ_PORT: "0" } });
});
after(() => h.stop());

interface Listed {
  readonly server: readonly {
    readonly ref: { readonly server_id: string };
    readonly data: Readonly<Record<`calls_${"started" | "succeeded" | "failed"}`, string>>;
  }[];
  readonly socket_ref: readonly unknown[];
}

function channelz(
  address: string,
  name: "GetServers" | "GetServerSockets",
  request: object,
): Promise<Listed> {
  const { path, requestSerialize, responseDeserialize } = getChannelzServiceDefinition()[name];
  const client = new Client(address, credentials.createInsecure());
  return new Promise<Listed>((resolve, reject) =>
    client.makeUnaryRequest(
      path,
      requestSerialize as (request: object) => Buffer,
      responseDeserialize as (bytes: Buffer) => unknown,
      request,
      (err, answer) => (err === null ? resolve(answer as Listed) : reject(err)),
    ),
  ).finally(() => client.close());
}

test("operators see the connections of the gRPC door and its calls, where they have asked for it", async () => {
  const { organizationId, id } = await h.givenAccount();
  const client = grpcClient(h.grpcAddress);
  await client.createCredential({ serviceAccountId: id }, { token: await h.token(organizationId) });
  await assert.rejects(client.createCredential({ serviceAccountId: id }, { token: "none" }));
  const address = h.keyturn.addresses.channelz ?? "";
  const { server } = await channelz(address, "GetServers", { start_server_id: "0" });
  assert.equal(server.length, 1, "the gRPC door, and not that of channelz itself");
  const { calls_started, calls_succeeded, calls_failed } = server[0]?.data ?? {};
  assert.deepEqual([calls_started, calls_succeeded, calls_failed], ["2", "1", "1"]);
  const server_id = server[0]?.ref.server_id;
  const { socket_ref } = await channelz(address, "GetServerSockets", { server_id, start_socket_id: "0" });
  assert.equal(socket_ref.length, 1);
  client.close();
});

test("the gRPC door itself has no channelz, and a server that was not asked has none at all", async () => {
  const request = { start_server_id: "0" };
  await assert.rejects(channelz(h.grpcAddress, "GetServers", request), { code: status.UNIMPLEMENTED });
  const other = await givenKeyturn({ db: h.db, issuer: h.issuer });
  assert.equal(other.keyturn.addresses.channelz, undefined);
  await assert.rejects(channelz(other.grpcAddress, "GetServers", request), { code: status.UNIMPLEMENTED });
  await other.stop();
});
