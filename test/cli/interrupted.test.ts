import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { scopeOf, startCommand } from "./keyturn-command.ts";

const scope = scopeOf({ after });

/** A service that hears the call and never answers. */
async function givenSilentService() {
  const server = createServer((socket) => socket.on("error", () => {}).resume());
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  scope.after(() => server.close());
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    called: once(server, "connection"),
  };
}

for (const [signal, status] of [
  ["SIGINT", 130],
  ["SIGTERM", 143],
] as const)
  test(`${signal} while a secret is asked for leaves no file behind, and says how to ask for the same again`, async () => {
    const folder = mkdtempSync(join(tmpdir(), "keyturn-cli-"));
    scope.after(() => rmSync(folder, { recursive: true }));
    const { address, called } = await givenSilentService();
    const file = join(folder, "secret");
    const command = startCommand(
      scope,
      ["credential", "create", "sa-one", "--secret-file", file, "--timeout", "60s"],
      { KEYTURN_ADDRESS: address, KEYTURN_ACCESS_TOKEN: "t" },
    );
    await called;
    assert.ok(existsSync(file));
    command.kill(signal);
    assert.equal(await command.ended, status);
    assert.equal(existsSync(file), false);
    assert.match(
      command.err(),
      new RegExp(
        `^keyturn: to ask for the same answer again, add --request-id [0-9a-f-]{36}\nkeyturn: ended by ${signal}$`,
      ),
    );
  });
