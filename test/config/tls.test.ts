import assert from "node:assert/strict";
import { test } from "node:test";
import { readConfig } from "../../src/config.ts";
import { givenAuthority } from "../support/authority.ts";

const authority = givenAuthority();
const [one, other] = [authority.issue(), authority.issue()];
const FILES: Readonly<Record<string, string>> = {
  cert: one.cert,
  key: one.key,
  "other-key": other.key,
  ca: authority.cert,
  "ca-none": "nothing in it: geheim",
  "ca-half": `${authority.cert}-----BEGIN CERTIFICATE-----\ngeheim\n-----END CERTIFICATE-----\n`,
  "ca-and-key": `${authority.cert}${other.key}`,
  bundle: `# two of them\r\n${authority.cert.replaceAll("\n", "\r\n")}\n${givenAuthority().cert}`,
  combined: `${one.key}${one.cert}${authority.cert}`,
  "half-chain": `${one.cert}-----BEGIN CERTIFICATE-----\ngeheim`,
  empty: "",
};
const deps = {
  cores: 2,
  readFile: (path: string) => {
    const text = FILES[path];
    if (text === undefined) throw Object.assign(new Error("no such file"), { code: "ENOENT" });
    return text;
  },
};

function mistakesOf(env: Readonly<Record<string, string>>): readonly string[] {
  const result = readConfig(env, deps);
  return "mistakes" in result ? result.mistakes : [];
}

const DOORS = [
  { door: "GRPC", of: "grpc" },
  { door: "HTTP", of: "http" },
  { door: "ADMIN", of: "admin" },
] as const;

for (const { door, of } of DOORS) {
  const at = (suffix: string) => `KEYTURN_${door}_${suffix}`;
  const good = { [at("CERT_FILE")]: "cert", [at("KEY_FILE")]: "key" };

  test(`the ${of} door has TLS by its certificate and key, and asks clients for one when it has their roots`, () => {
    const tlsOf = (env: Readonly<Record<string, string>>) => {
      const result = readConfig(env, deps);
      return "config" in result ? result.config.tls : undefined;
    };
    const files = {
      certFile: "cert",
      keyFile: "key",
      clientCaFile: undefined,
      clientCertificateRequired: true,
    };
    const clear = { grpc: undefined, http: undefined, admin: undefined };
    assert.deepEqual(tlsOf(good), { ...clear, [of]: files });
    const withCa = { ...good, [at("CLIENT_CA_FILE")]: "ca" };
    assert.deepEqual(tlsOf(withCa), { ...clear, [of]: { ...files, clientCaFile: "ca" } });
    assert.deepEqual(tlsOf({ ...withCa, [at("CLIENT_CERTIFICATE")]: "optional" }), {
      ...clear,
      [of]: { ...files, clientCaFile: "ca", clientCertificateRequired: false },
    });
  });

  const REFUSED: [what: string, env: Readonly<Record<string, string>>, names: readonly string[]][] = [
    ["a certificate without a key", { [at("CERT_FILE")]: "cert" }, ["CERT_FILE", "KEY_FILE"]],
    ["a key without a certificate", { [at("KEY_FILE")]: "key" }, ["CERT_FILE", "KEY_FILE"]],
    ["a client CA without a certificate", { [at("CLIENT_CA_FILE")]: "ca" }, ["CLIENT_CA_FILE", "CERT_FILE"]],
    [
      "a word about client certificates without a client CA",
      { ...good, [at("CLIENT_CERTIFICATE")]: "optional" },
      ["CLIENT_CERTIFICATE", "CLIENT_CA_FILE"],
    ],
    ["files that are not there", { [at("CERT_FILE")]: "nowhere", [at("KEY_FILE")]: "key" }, ["CERT_FILE"]],
    ["the key of another certificate", { ...good, [at("KEY_FILE")]: "other-key" }, ["CERT_FILE", "KEY_FILE"]],
    ["an empty key", { ...good, [at("KEY_FILE")]: "empty" }, ["CERT_FILE", "KEY_FILE"]],
    [
      "a client CA without a certificate in it",
      { ...good, [at("CLIENT_CA_FILE")]: "ca-none" },
      ["CLIENT_CA_FILE"],
    ],
    [
      "a client CA beside one that cannot be read",
      { ...good, [at("CLIENT_CA_FILE")]: "ca-half" },
      ["CLIENT_CA_FILE"],
    ],
    ["a client CA beside a key", { ...good, [at("CLIENT_CA_FILE")]: "ca-and-key" }, ["CLIENT_CA_FILE"]],
    [
      "a certificate before one that is cut off",
      { ...good, [at("CERT_FILE")]: "half-chain" },
      ["CERT_FILE", "KEY_FILE"],
    ],
    ["an empty client CA", { ...good, [at("CLIENT_CA_FILE")]: "empty" }, ["CLIENT_CA_FILE"]],
  ];
  for (const [what, env, names] of REFUSED) {
    test(`${what} is refused at the ${of} door in one line that names the variables and quotes nothing`, () => {
      const [mistake = "", ...more] = mistakesOf(env);
      assert.deepEqual(more, []);
      for (const name of names) assert.ok(mistake.includes(at(name)), mistake);
      assert.doesNotMatch(mistake, /geheim|nowhere|BEGIN/);
    });
  }

  test(`several client CAs, and a certificate with its key and chain in one file, are taken at the ${of} door`, () => {
    const combined = { [at("CERT_FILE")]: "combined", [at("KEY_FILE")]: "combined" };
    assert.deepEqual(mistakesOf({ ...combined, [at("CLIENT_CA_FILE")]: "bundle" }), []);
  });

  test(`each file of the ${of} door that cannot be read is named with the reason`, () => {
    const env = { [at("CERT_FILE")]: "nowhere", [at("KEY_FILE")]: "key", [at("CLIENT_CA_FILE")]: "nowhere" };
    const read = ["CERT_FILE", "CLIENT_CA_FILE"].map((suffix) => `${at(suffix)} cannot be read (ENOENT)`);
    assert.deepEqual(mistakesOf(env), read);
  });
}

const CALLERS = "KEYTURN_CLIENT_CERTIFICATE_CALLERS";

test("callers are mapped from the names of their certificates", () => {
  const text = `{"URI:spiffe://example.org/gateway":{"organization":"acme","roles":["verifier"]},"DNS:a.example":{"organization":"globex","roles":[]}}`;
  const result = readConfig({ [CALLERS]: text }, deps);
  assert.ok("config" in result);
  assert.deepEqual(
    [...result.config.certificateCallers],
    [
      ["URI:spiffe://example.org/gateway", { organizationId: "acme", roles: ["verifier"] }],
      ["DNS:a.example", { organizationId: "globex", roles: [] }],
    ],
  );
});

const REFUSED_CALLERS = [
  "geheim",
  "[]",
  `{"spiffe://a/b":{"organization":"acme","roles":[]}}`,
  `{"DNS:A.example":{"organization":"acme","roles":[]}}`,
  `{"URI:a:b, URI:c:d":{"organization":"acme","roles":[]}}`,
  `{"URI:a:b":{"organization":"","roles":[]}}`,
  `{"URI:a:b":{"organization":"acme"}}`,
  `{"URI:a:b":{"organization":"acme","roles":["a b"]}}`,
  `{"URI:a:b":{"organization":"acme","roles":[],"subject":"geheim"}}`,
  `{"URI:a:b":{"organization":"acme","roles":[]},"URI:a:b":{"organization":"globex","roles":[]}}`,
];
for (const text of REFUSED_CALLERS) {
  test(`${CALLERS} is refused without being quoted: ${text}`, () => {
    const [mistake = "", ...more] = mistakesOf({ [CALLERS]: text });
    assert.deepEqual(more, []);
    assert.match(mistake, new RegExp(`^${CALLERS} must be JSON`));
    assert.doesNotMatch(mistake, /geheim|globex/);
  });
}
