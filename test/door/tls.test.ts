import assert from "node:assert/strict";
import { connect as connectHttp2, type OutgoingHttpHeaders } from "node:http2";
import { connect } from "node:net";
import { test } from "node:test";
import { givenAuthority } from "../support/authority.ts";
import { GOOD_TOKEN, givenDoors } from "../support/given-doors.ts";
import { givenTls } from "../support/given-tls.ts";
import { SECURE_DOORS, tlsConnection } from "../support/secure-clients.ts";

const TOKEN = { authorization: `Bearer ${GOOD_TOKEN}` };
const LIMIT = { timeout: 30_000 };

async function given(t: { after(ending: () => unknown): void }, ...args: Parameters<typeof givenTls>) {
  const tls = await givenTls(...args);
  const h = await givenDoors({ tls: tls.tls });
  t.after(async () => {
    await h.stop();
    tls.stop();
  });
  return { tls, h, addresses: [h.grpcAddress, new URL(h.httpUrl).host] };
}

for (const door of SECURE_DOORS) {
  test(
    `${door.name} is answered over TLS, and whoever trusts another authority gets no connection`,
    LIMIT,
    async (t) => {
      const { tls, h } = await given(t);
      assert.equal(await door.create(h, { ca: tls.servers.cert }, TOKEN), door.answers.good);
      assert.equal(await door.create(h, { ca: tls.servers.cert }), door.answers.unauthenticated);
      assert.equal(await door.create(h, { ca: givenAuthority().cert }, TOKEN), "no connection");
    },
  );

  test(
    `${door.name}: where a client certificate is required, none and a stranger's get no connection`,
    LIMIT,
    async (t) => {
      const { tls, h } = await given(t, "required");
      const ca = tls.servers.cert;
      assert.equal(await door.create(h, { ca }, TOKEN), "no connection");
      assert.equal(await door.create(h, { ca, client: givenAuthority().issue() }, TOKEN), "no connection");
      assert.equal(await door.create(h, { ca, client: tls.clients.issue() }, TOKEN), door.answers.good);
    },
  );

  test(`${door.name}: where a client certificate is optional, a token does without one`, LIMIT, async (t) => {
    const { tls, h } = await given(t, "optional");
    const ca = tls.servers.cert;
    assert.equal(await door.create(h, { ca }, TOKEN), door.answers.good);
    assert.equal(await door.create(h, { ca }), door.answers.unauthenticated);
  });
}

test("both doors take TLS 1.2 and 1.3, and nothing older", LIMIT, async (t) => {
  const { tls, addresses } = await given(t);
  for (const address of addresses) {
    for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
      const socket = await tlsConnection(address, {
        ca: tls.servers.cert,
        minVersion: version,
        maxVersion: version,
        ALPNProtocols: ["h2"],
      });
      assert.equal(socket.getProtocol(), version);
      socket.destroy();
    }
    const old = { minVersion: "TLSv1", maxVersion: "TLSv1.1", ciphers: "ALL@SECLEVEL=0" } as const;
    await assert.rejects(tlsConnection(address, { ca: tls.servers.cert, ...old }), /protocol version/);
  }
});

test(
  "the HTTP door speaks what the client prefers, and HTTP/1.1 with whoever does not say",
  LIMIT,
  async (t) => {
    const { tls, h } = await given(t);
    const { host } = new URL(h.httpUrl);
    const agreed = async (...offers: string[]) => {
      const socket = await tlsConnection(host, { ca: tls.servers.cert, ALPNProtocols: offers });
      socket.destroy();
      return socket.alpnProtocol;
    };
    assert.equal(await agreed("h2", "http/1.1"), "h2");
    assert.equal(await agreed("http/1.1"), "http/1.1");
    const silent = await tlsConnection(host, { ca: tls.servers.cert });
    silent.write("GET /nowhere HTTP/1.1\r\nhost: a\r\n\r\n");
    assert.match(String(await new Promise((resolve) => silent.once("data", resolve))), /^HTTP\/1.1 404/);
    silent.destroy();
  },
);

test("two tokens over HTTP/2 are no token, as over HTTP/1.1", LIMIT, async (t) => {
  const { tls, h } = await given(t);
  // Node's client sends what should be single more than once only when it is told so, which its types do not know.
  const lax = { ca: tls.servers.cert, strictSingleValueFields: false };
  const session = connectHttp2(h.httpUrl, lax);
  const { authorization } = TOKEN;
  const twice = { authorization: [authorization, authorization] } as unknown as OutgoingHttpHeaders;
  const path = "/v1/regions/global/iam/service-accounts/sa-one/credentials";
  const stream = session.request({ ...twice, ":method": "POST", ":path": path });
  const status = await new Promise((resolve) =>
    stream.once("response", (headers) => resolve(headers[":status"])),
  );
  assert.equal(status, 401);
  session.destroy();
});

test(
  "who does not finish what he began is not waited for: headers over TLS have their time as well",
  LIMIT,
  async (t) => {
    const tls = await givenTls();
    const timeouts = { headersMsMax: 100, requestMsMax: 100, idleMsMax: 60_000, checkIntervalMs: 20 };
    const h = await givenDoors({ tls: tls.tls, httpTimeouts: timeouts });
    t.after(async () => {
      await h.stop();
      tls.stop();
    });
    const { host, hostname, port } = new URL(h.httpUrl);
    const slow = await tlsConnection(host, { ca: tls.servers.cert });
    slow.write("GET /nowhere HTTP/1.1\r\nhost:");
    assert.match(String(await new Promise((resolve) => slow.once("data", resolve))), /^HTTP\/1.1 408/);
    const silent = connect(Number(port), hostname);
    silent.on("error", () => {});
    await new Promise((resolve) => silent.resume().once("close", resolve));
  },
);

test("connections that are idle, silent or have not shaken hands do not hold the drain", LIMIT, async (t) => {
  const { tls, h, addresses } = await given(t);
  const ca = tls.servers.cert;
  const closed: Promise<unknown>[] = [];
  for (const address of addresses) {
    const { hostname, port } = new URL(`https://${address}`);
    const bare = connect(Number(port), hostname);
    await new Promise((resolve) => bare.once("connect", resolve));
    for (const socket of [bare, await tlsConnection(address, { ca, ALPNProtocols: ["h2"] })])
      closed.push(
        new Promise((resolve) =>
          socket
            .resume()
            .on("error", () => {})
            .once("close", resolve),
        ),
      );
  }
  for (const door of SECURE_DOORS) await door.create(h, { ca }, TOKEN);
  await Promise.all([h.grpc.close(600_000), h.http.close(600_000), ...closed]);
});

for (const door of SECURE_DOORS) {
  test(`a call of ${door.name} that is in flight over TLS is finished by the drain`, LIMIT, async (t) => {
    const tls = await givenTls();
    const gate = Promise.withResolvers<object>();
    const h = await givenDoors({ tls: tls.tls, createCredential: () => gate.promise });
    t.after(async () => {
      await h.stop();
      tls.stop();
    });
    const reached = h.nextCall();
    const answer = door.create(h, { ca: tls.servers.cert }, TOKEN);
    await reached;
    const closed = Promise.all([h.grpc.close(600_000), h.http.close(600_000)]);
    gate.resolve({});
    assert.equal(await answer, door.answers.good);
    await closed;
  });
}
