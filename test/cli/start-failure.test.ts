import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { givenDataDir } from "./data-folder.ts";
import { developmentEnv, runCommand, scopeOf } from "./keyturn-command.ts";

for (const workers of ["1", "2"]) {
  test(`a first run with ${workers} processes whose port is taken says so, and nothing of a database that has ended`, async (t) => {
    const scope = scopeOf(t);
    const other = createServer().listen(0, "127.0.0.1");
    await once(other, "listening");
    scope.after(() => other.close());
    const { port } = other.address() as AddressInfo;
    const env = {
      ...developmentEnv(await givenDataDir(scope)),
      KEYTURN_WORKERS: workers,
      KEYTURN_ADMIN_PORT: String(port),
    };
    const { status, out, err } = await runCommand(scope, ["serve"], env);
    assert.equal(status, 1);
    assert.match(err, /^keyturn: the admin door .*KEYTURN_ADMIN_PORT \(EADDRINUSE\)$/);
    assert.doesNotMatch(out, /"level":"fatal"|database has ended/);
  });
}
