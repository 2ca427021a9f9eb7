import assert from "node:assert/strict";
import { test } from "node:test";
import { createClientAddress } from "../../src/door/client-address.ts";
import { credentialsPath } from "../support/clients.ts";
import { DOORS, encodeCreate } from "../support/doors.ts";
import { GOOD_TOKEN, givenDoors } from "../support/given-doors.ts";
import { CREATE_PATH, frame, rawGrpc } from "../support/raw-grpc.ts";
import { rawRequest } from "../support/raw-http.ts";

const PEER = "10.0.0.1";
const CLIENT = "192.0.2.1";
const clientAddressOf = createClientAddress(["10.0.0.0/8", "203.0.113.7", "2001:db8:a::/48", "::1"]);

interface Case {
  readonly what: string;
  /** Default: a trusted one. */
  readonly peer?: string;
  readonly header: string;
  readonly client: string;
}

const times = (count: number, entry: string) => Array.from({ length: count }, () => entry).join(",");

const CASES: readonly Case[] = [
  { what: "the one entry", header: CLIENT, client: CLIENT },
  { what: "the right-most entry, not a spoofed one", header: `198.51.100.9, ${CLIENT}`, client: CLIENT },
  { what: "no proxy's address that a stranger wrote", header: `10.0.0.9, ${CLIENT}`, client: CLIENT },
  {
    what: "the entry before nested hops",
    header: `9.9.9.9, ${CLIENT}, 203.0.113.7, 10.1.2.3`,
    client: CLIENT,
  },
  { what: "the left-most when all are trusted", header: "10.9.9.9,203.0.113.7,10.1.2.3", client: "10.9.9.9" },
  { what: "an entry among tabs and spaces", header: ` \t${CLIENT} \t,\t10.1.2.3 `, client: CLIENT },
  { what: "an entry without its port", header: `${CLIENT}:5678, 10.1.2.3:80`, client: CLIENT },
  { what: "IPv6 from an IPv6 peer", peer: "2001:db8:a::5", header: "2001:db8:b::1", client: "2001:db8:b::1" },
  { what: "IPv6 before nested IPv6 hops", header: "2001:db8:b::1, 2001:db8:a:9::1", client: "2001:db8:b::1" },
  { what: "IPv6 in brackets", header: "[2001:db8:b::1], [::1]", client: "2001:db8:b::1" },
  { what: "IPv6 without its port", header: "[2001:db8:b::1]:443, [::1]:65535", client: "2001:db8:b::1" },
  { what: "IPv6 in its one spelling", header: "2001:DB8:B:0:0:0:0:1", client: "2001:db8:b::1" },
  { what: "IPv6 without its link", header: "fe80::1%eth0", client: "fe80::1" },
  { what: "mapped IPv4 as IPv4", header: `::ffff:${CLIENT}, ::ffff:10.1.2.3`, client: CLIENT },
  { what: "mapped IPv4 in hexadecimal", header: "::ffff:c000:201, [::FFFF:a01:203]:80", client: CLIENT },
  { what: "the client of a mapped peer", peer: `::ffff:${PEER}`, header: CLIENT, client: CLIENT },
  { what: "32 entries", header: `${times(31, "9.9.9.9")},${CLIENT}`, client: CLIENT },
  { what: "a header of 2 KiB", header: CLIENT.padStart(2048, " "), client: CLIENT },
  { what: "an unknown peer, not what it forwards", peer: "192.0.2.9", header: CLIENT, client: "192.0.2.9" },
  { what: "an unknown mapped peer", peer: "::ffff:192.0.2.9", header: CLIENT, client: "192.0.2.9" },
  { what: "a peer just outside a network", peer: "11.0.0.0", header: CLIENT, client: "11.0.0.0" },
  { what: "an IPv6 peer just outside", peer: "2001:db8:b::1", header: CLIENT, client: "2001:db8:b::1" },
  {
    what: "a header that a stranger made long",
    header: `${times(5_000, "9.9.9.9")},${CLIENT}`,
    client: CLIENT,
  },
  { what: "one long entry before", header: `${"9".repeat(5_000)},${CLIENT}`, client: CLIENT },
  { what: "the peer for an empty header", header: "", client: PEER },
  { what: "the peer for a header of spaces", header: "  ", client: PEER },
  { what: "the peer for commas", header: ",,", client: PEER },
];
for (const { what, peer = PEER, header, client } of CASES) {
  test(`the client's address is ${what}`, () => {
    assert.equal(clientAddressOf(peer, header), client);
  });
}

const NO_ADDRESS = [
  "",
  "unknown",
  "_hidden",
  "proxy.example",
  "192.0.2",
  "192.0.2.256",
  "192.0.2.010",
  "3221225985",
  "0xc0000201",
  "192.0.2.1:",
  "192.0.2.1:x",
  "192.0.2.1:123456",
  "192.0.2.1 10.0.0.1",
  "192.0.2.1/32",
  "192.0.2.1%eth0",
  "[192.0.2.1]",
  "[192.0.2.1]:80",
  "[2001:db8:b::1",
  "2001:db8:b::1]",
  "[2001:db8:b::1]443",
  "[2001:db8:b::1]:",
  "[[2001:db8:b::1]]",
  "2001:db8:b::1::2",
  "12345::1",
  '"192.0.2.1"',
  "for=192.0.2.1",
  "192.0.2.1\0",
  "\u0661.2.3.4",
];
for (const entry of NO_ADDRESS) {
  test(`at ${JSON.stringify(entry)} the walk stops at the hop that wrote it`, () => {
    assert.equal(clientAddressOf(PEER, entry), PEER);
    assert.equal(clientAddressOf(PEER, `${CLIENT}, ${entry}`), PEER);
    assert.equal(clientAddressOf(PEER, `${CLIENT}, ${entry}, 10.1.2.3`), "10.1.2.3");
    assert.equal(clientAddressOf(PEER, `${entry}, ${CLIENT}, 10.1.2.3`), CLIENT);
  });
}

test("without trusted proxies the header is ignored, whoever sends it", () => {
  const peersOnly = createClientAddress([]);
  for (const peer of [PEER, "127.0.0.1", "::1"]) assert.equal(peersOnly(peer, CLIENT), peer);
});

test("without the header it is the peer's address as inet takes it, and of a peer that has gone nothing is known", () => {
  const peers = [PEER, `::ffff:${PEER}`, "fe80::1%eth0", "unknown", "", undefined];
  const plain = [PEER, PEER, "fe80::1", undefined, undefined, undefined];
  assert.deepEqual(
    peers.map((peer) => clientAddressOf(peer, undefined)),
    plain,
  );
  for (const peer of ["unknown", "", undefined]) assert.equal(clientAddressOf(peer, CLIENT), undefined);
});

const SAME_PROXY = ["10.1.2.3/8", "10.0.0.1/32", "::ffff:10.0.0.1", "::ffff:10.0.0.0/104", "0.0.0.0/0"];
for (const proxy of SAME_PROXY) {
  test(`${proxy} names ${PEER}`, () => {
    assert.equal(createClientAddress([proxy])(PEER, CLIENT), CLIENT);
  });
}

for (const proxy of ["", "proxy", "10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.1:80", "[::1]", "::1%lo"]) {
  test(`"${proxy}" is no trusted proxy`, () => {
    assert.throws(() => createClientAddress([proxy]));
  });
}

const SPOOFED = `198.51.100.9, ${CLIENT}, 203.0.113.7`;
const BY_TRUST = [
  { trustedProxies: ["127.0.0.1", "203.0.113.7"], client: CLIENT, whose: "the right-most that is no proxy" },
  { trustedProxies: ["203.0.113.7"], client: "127.0.0.1", whose: "the peer's, which is not trusted" },
  { trustedProxies: undefined, client: "127.0.0.1", whose: "the peer's where no proxy is named" },
];
for (const { name, create } of DOORS) {
  for (const { trustedProxies, client, whose } of BY_TRUST) {
    test(`over ${name} the client's address is ${whose}`, async () => {
      const doors = await givenDoors(trustedProxies === undefined ? {} : { trustedProxies });
      try {
        const headers = { "x-forwarded-for": SPOOFED };
        await create(doors, { serviceAccountId: "sa-one" }, { token: GOOD_TOKEN, headers });
        assert.deepEqual(
          doors.calls.map(({ clientAddress }) => clientAddress),
          [client],
        );
      } finally {
        await doors.stop();
      }
    });
  }
}

test("all lines of the header count, at every door: a proxy may add one of its own behind the caller's", async () => {
  const doors = await givenDoors({ trustedProxies: ["127.0.0.1"] });
  try {
    const targets = [
      [credentialsPath("sa-one"), "{}"],
      [CREATE_PATH, '{"serviceAccountId":"sa-one"}'],
    ] as const;
    for (const [path, body] of targets) {
      const head = [
        `POST ${path} HTTP/1.1`,
        "host: a",
        "x-forwarded-for: 198.51.100.9",
        `authorization: Bearer ${GOOD_TOKEN}`,
        "content-type: application/json",
        `content-length: ${body.length}`,
        `X-Forwarded-For: ${CLIENT}`,
      ];
      await rawRequest(doors.httpUrl, `${head.join("\r\n")}\r\n\r\n${body}`);
    }
    const grpc = rawGrpc(doors.grpcAddress);
    await grpc.call(frame(encodeCreate({ serviceAccountId: "sa-one" })), {
      authorization: `Bearer ${GOOD_TOKEN}`,
      "x-forwarded-for": ["198.51.100.9", CLIENT],
    });
    grpc.close();
    assert.deepEqual(
      doors.calls.map(({ door, clientAddress }) => [door, clientAddress]),
      [
        ["rest", CLIENT],
        ["connect", CLIENT],
        ["grpc", CLIENT],
      ],
    );
  } finally {
    await doors.stop();
  }
});
