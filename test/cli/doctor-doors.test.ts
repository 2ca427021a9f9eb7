import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { type TestContext, test } from "node:test";
import { examineDoors } from "../../src/cli/doctor/doors.ts";
import { openAdminDoor } from "../../src/door/admin.ts";
import { givenTls } from "../support/given-tls.ts";

/** An admin door with TLS, and the settings of its server. */
async function givenAdminDoor(
  t: TestContext,
  {
    clientCertificate = "none",
    unready = [],
  }: { clientCertificate?: "none" | "optional" | "required"; unready?: string[] } = {},
) {
  const { tls, files, stop } = await givenTls(clientCertificate);
  const door = await openAdminDoor({
    host: "127.0.0.1",
    port: 0,
    tls,
    readiness: { unreadyParts: () => unready },
    metrics: { expose: async () => ({ text: "", contentType: "text/plain" }) },
  });
  t.after(async () => {
    await door.close(0);
    stop();
  });
  return {
    KEYTURN_HOST: "127.0.0.1",
    KEYTURN_ADMIN_HOST: "127.0.0.1",
    KEYTURN_ADMIN_PORT: door.port,
    KEYTURN_ADMIN_CERT_FILE: files.certFile,
  };
}

const levels = async (settings: Parameters<typeof examineDoors>[0]) =>
  (await examineDoors(settings)).map(({ level, check }) => `${level} ${check}`);

for (const clientCertificate of ["none", "optional", "required"] as const) {
  test(`a server runs whose admin door has TLS, client certificates: ${clientCertificate}; its ports are no fault`, async (t) => {
    assert.deepEqual(await levels(await givenAdminDoor(t, { clientCertificate })), ["ok doors"]);
  });
}

test("a server that is not ready says so by TLS too", async (t) => {
  const [found, ...more] = await examineDoors(await givenAdminDoor(t, { unready: ["draining"] }));
  assert.deepEqual([found?.check, more], ["server_unready", []]);
  assert.match(found?.what ?? "", /draining/);
});

test("what else has the port of an admin door with TLS is a fault", async (t) => {
  const server = createServer((socket) => socket.on("error", () => {}).end("no TLS"));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const settings = {
    ...(await givenAdminDoor(t)),
    KEYTURN_ADMIN_PORT: (server.address() as AddressInfo).port,
  };
  assert.deepEqual(await levels(settings), ["wrong port_in_use"]);
});

test("a host that is no address of this machine is named by the variable of its door", async () => {
  for (const [door, host] of [
    ["KEYTURN_GRPC_PORT", "KEYTURN_HOST"],
    ["KEYTURN_CHANNELZ_PORT", "KEYTURN_ADMIN_HOST"],
  ] as const) {
    const found = (await examineDoors({ [host]: "192.0.2.1", [door]: 0 })).find(
      ({ level }) => level === "wrong",
    );
    assert.deepEqual([found?.check, found?.where], ["host_foreign", door]);
    assert.match(found?.todo ?? "", new RegExp(`^set ${host} `));
  }
});
