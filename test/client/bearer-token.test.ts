import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { connectKeyturn, type Keyturn } from "../../src/client/keyturn.ts";
import { type GivenCli, givenCli } from "../cli/given-cli.ts";
import { scopeOf } from "../cli/keyturn-command.ts";

const scope = scopeOf({ after });
let h: GivenCli;
let token: string;
before(async () => {
  h = await givenCli(scope);
  token = await h.keyturn.token(h.organizationId, { roles: ["admin", "verifier"] });
});

function connect(bearer: () => string): Keyturn {
  const keyturn = connectKeyturn({ address: h.keyturn.grpcAddress, token: bearer });
  scope.after(() => keyturn.close());
  return keyturn;
}

const UNSENDABLE = ["seen\nseen", "seen seen", "seen\0", "sëen", "seen\u2028seen", "", "\n"];

test("a token that cannot be sent is refused before the call, and quoted nowhere", async () => {
  for (const bearer of UNSENDABLE)
    await assert.rejects(connect(() => bearer).verify("nonsense"), (err) => {
      assert.ok(err instanceof TypeError, String(err));
      assert.doesNotMatch(err.message, /s.en/);
      return true;
    });
});

test("on the command line it is a wrong command line, 2, which names where the token came from", async () => {
  const file = join(h.folder(), "token");
  for (const bearer of UNSENDABLE.slice(0, -2)) {
    writeFileSync(file, bearer);
    for (const [args, env, source] of [
      [[], { KEYTURN_ACCESS_TOKEN: bearer }, "KEYTURN_ACCESS_TOKEN"],
      [["--token-file", file], {}, file],
    ] as const) {
      const { status, out, err } = await h.run(["policy", "get", ...args], { env });
      assert.deepEqual(
        [status, out, err],
        [2, "", `keyturn: ${source} holds a character that no token has\n`],
      );
    }
  }
});

test("white space around a token is none of it: files end with a line end", async () => {
  assert.equal(await connect(() => ` ${token}\r\n`).verify("nonsense"), undefined);
});
