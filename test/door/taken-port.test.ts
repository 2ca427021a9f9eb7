import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { after, before, test } from "node:test";
import { givenDatabase, type TestDatabase } from "../support/database.ts";
import { startIssuer, type TestIssuer } from "../support/issuer.ts";
import { givenKeyturn } from "../support/keyturn.ts";

let db: TestDatabase;
let issuer: TestIssuer;
let taken: string;
const other = createServer();
before(async () => {
  [db, issuer] = await Promise.all([givenDatabase(), startIssuer()]);
  other.listen(0, "127.0.0.1");
  await once(other, "listening");
  taken = String((other.address() as AddressInfo).port);
});
after(async () => {
  other.close();
  await Promise.all([db.drop(), issuer.stop()]);
});

/** Why a server does not start under these variables. */
const failure = (env: Readonly<Record<string, string>>): Promise<Error> =>
  givenKeyturn({ db, issuer, env }).then(
    async (keyturn) => {
      await keyturn.stop();
      return new Error("it has started");
    },
    (err) => err,
  );

for (const port of [
  "KEYTURN_GRPC_PORT",
  "KEYTURN_HTTP_PORT",
  "KEYTURN_ADMIN_PORT",
  "KEYTURN_CHANNELZ_PORT",
]) {
  test(`a start at a taken ${port} fails with that variable and address, and says so once`, async (t) => {
    const said = t.mock.method(process.stderr, "write");
    const { message } = await failure({ [port]: taken });
    for (const word of [port, `127.0.0.1:${taken}`, "EADDRINUSE"]) assert.ok(message.includes(word), message);
    assert.equal(said.mock.callCount(), 0);
  });
}

const FOREIGN = [
  { variable: "KEYTURN_HOST", host: "192.0.2.1" },
  { variable: "KEYTURN_HOST", host: "nosuch.invalid" },
  { variable: "KEYTURN_ADMIN_HOST", host: "192.0.2.1" },
];
for (const { variable, host } of FOREIGN) {
  test(`a start at ${variable}=${host} fails with that variable and address`, async () => {
    const { message } = await failure({ [variable]: host });
    assert.match(message, new RegExp(`${host}:0: .*${variable} \\((EADDRNOTAVAIL|ENOTFOUND|EAI_AGAIN)\\)$`));
  });
}
