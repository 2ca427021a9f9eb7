import assert from "node:assert/strict";
import { connect as connectHttp2 } from "node:http2";
import { type TestContext, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { givenAuthority } from "../support/authority.ts";
import { eventually } from "../support/eventually.ts";
import { GOOD_TOKEN, givenDoors } from "../support/given-doors.ts";
import { type GivenTls, givenTls } from "../support/given-tls.ts";
import { SECURE_DOORS, tlsConnection } from "../support/secure-clients.ts";

const TOKEN = { authorization: `Bearer ${GOOD_TOKEN}` };
const LIMIT = { timeout: 60_000 };

async function given(t: TestContext, ...args: Parameters<typeof givenTls>) {
  const tls = await givenTls(...args);
  const h = await givenDoors({ tls: tls.tls });
  t.after(async () => {
    await h.stop();
    tls.stop();
  });
  return { tls, h, addresses: [h.grpcAddress, new URL(h.httpUrl).host] };
}

const open = (address: string, { servers }: GivenTls, more = {}) =>
  tlsConnection(address, { ca: servers.cert, ALPNProtocols: ["h2"], ...more });

async function fingerprint(address: string, tls: GivenTls): Promise<string> {
  const socket = await open(address, tls);
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

const told = ({ events }: GivenTls, kind: string, count = 1) =>
  eventually(() => events.filter((event) => event.kind === kind).length >= count);

test(
  "new files are used for new connections without a restart, and those that there are go on",
  LIMIT,
  async (t) => {
    const { tls, h, addresses } = await given(t);
    const before = await Promise.all(addresses.map((address) => fingerprint(address, tls)));
    const session = connectHttp2(h.httpUrl, { ca: tls.servers.cert });
    t.after(() => session.destroy());
    await answered(session);
    tls.write(tls.servers.issue());
    await told(tls, "loaded");
    const after = await Promise.all(addresses.map((address) => fingerprint(address, tls)));
    assert.equal(
      new Set([...before, ...after]).size,
      2,
      "one certificate before and one after, at both doors",
    );
    await answered(session);
    for (const door of SECURE_DOORS)
      assert.equal(await door.create(h, { ca: tls.servers.cert }, TOKEN), door.answers.good);
  },
);

const GARBAGE = "-----BEGIN CERTIFICATE-----\ngeheim\n-----END CERTIFICATE-----\n";
const BROKEN = [
  { what: "no certificate", files: { cert: "geheim" } },
  { what: "a certificate of another key", files: { cert: givenAuthority().issue().cert } },
  { what: "no key", files: { key: "" } },
  { what: "no client CA", files: { ca: GARBAGE } },
  { what: "a second client CA that is none", files: { ca: `${givenAuthority().cert}${GARBAGE}` } },
  {
    what: "a second client CA that is cut off",
    files: { ca: `${givenAuthority().cert}${GARBAGE.slice(0, -6)}` },
  },
];
for (const { what, files } of BROKEN) {
  test(
    `files with ${what} are refused once, the last good ones stay, and good ones are taken again`,
    LIMIT,
    async (t) => {
      const { tls, h, addresses } = await given(t, "optional");
      const before = await Promise.all(addresses.map((address) => fingerprint(address, tls)));
      tls.write(files);
      await told(tls, "refused");
      assert.deepEqual(await Promise.all(addresses.map((address) => fingerprint(address, tls))), before);
      for (const door of SECURE_DOORS)
        assert.equal(await door.create(h, { ca: tls.servers.cert }, TOKEN), door.answers.good);
      tls.write({ ...tls.servers.issue(), ca: tls.clients.cert });
      await told(tls, "loaded");
      assert.doesNotMatch(JSON.stringify(tls.events), /geheim/);
      assert.equal(tls.events.filter(({ kind }) => kind === "refused").length <= 2, true);
    },
  );
}

test(
  "once the roots of clients change, connections that were let in by the old ones end, and their like get none",
  LIMIT,
  async (t) => {
    const { tls, h, addresses } = await given(t, "required");
    const client = tls.clients.issue();
    const ends: Promise<unknown>[] = [];
    for (const address of addresses) ends.push(ended(await open(address, tls, client)));
    const session = connectHttp2(h.httpUrl, { ca: tls.servers.cert, ...client });
    session.on("error", () => {});
    await answered(session);
    ends.push(new Promise((resolve) => session.once("close", resolve)));
    const next = givenAuthority("clients");
    tls.write({ ca: next.cert });
    await told(tls, "loaded");
    for (const door of SECURE_DOORS) {
      assert.equal(await door.create(h, { ca: tls.servers.cert, client }, TOKEN), "no connection");
      assert.equal(
        await door.create(h, { ca: tls.servers.cert, client: next.issue() }, TOKEN),
        door.answers.good,
      );
    }
    await Promise.all(ends);
  },
);

const ended = (socket: TLSSocket) => new Promise((resolve) => socket.resume().once("close", resolve));

async function answered(session: ReturnType<typeof connectHttp2>): Promise<void> {
  const stream = session.request({ ":path": "/nowhere" });
  const status = await new Promise((resolve) =>
    stream.once("response", (headers) => resolve(headers[":status"])),
  );
  stream.resume();
  assert.equal(status, 404);
}
