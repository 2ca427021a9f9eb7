import assert from "node:assert/strict";
import { chmodSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { examineCertificates } from "../../src/cli/doctor/certificates.ts";
import type { Finding } from "../../src/cli/doctor/finding.ts";
import { selfSigned } from "../support/certificate.ts";
import { givenDataDir } from "./data-folder.ts";
import { scopeOf } from "./keyturn-command.ts";

const DAY_MS = 86_400_000;
const NOW = new Date("2026-11-24T12:00:00Z");

const scope = scopeOf({ after });
let folder: string;
before(async () => {
  folder = await givenDataDir(scope);
});

/** A certificate that holds from a day before this many days from now until a day after. */
function givenFiles(days: number, keyMode = 0o600) {
  const { cert, key } = selfSigned(NOW.getTime() + days * DAY_MS);
  const [certFile, keyFile] = [join(folder, `cert-${days}`), join(folder, `key-${days}`)];
  writeFileSync(certFile, cert);
  writeFileSync(keyFile, key);
  chmodSync(keyFile, keyMode);
  return { KEYTURN_GRPC_CERT_FILE: certFile, KEYTURN_GRPC_KEY_FILE: keyFile };
}

const examine = (env: Readonly<Record<string, string>>, host = "127.0.0.1"): Finding[] =>
  examineCertificates(env, { production: true, settings: { KEYTURN_HOST: host } }, NOW);

const short = ({ level, check, where }: Finding) => `${level} ${check} ${where}`;

test("a certificate that holds for long is fine, and one that does not is named by its variable", () => {
  const where = "KEYTURN_GRPC_CERT_FILE";
  assert.deepEqual(examine(givenFiles(30)).map(short), [`wrong certificate_early ${where}`]);
  assert.deepEqual(examine(givenFiles(0)).map(short), [`warning certificate_expires ${where}`]);
  assert.deepEqual(examine(givenFiles(-1)).map(short), [`wrong certificate_expired ${where}`]);
  const later = new Date(NOW.getTime() - 0.9 * DAY_MS);
  const { KEYTURN_GRPC_CERT_FILE } = givenFiles(0);
  const config = { production: true, settings: {} };
  const [soon] = examineCertificates({ KEYTURN_GRPC_CERT_FILE }, config, later);
  assert.match(soon?.what ?? "", /in 1 days$/);
});

test("a key that everybody can read, or others write, is named by its variable", () => {
  const found = examine(givenFiles(0, 0o664)).map(short);
  assert.deepEqual(found.slice(1), [
    "wrong tls_key_readable KEYTURN_GRPC_KEY_FILE",
    "wrong tls_key_writable KEYTURN_GRPC_KEY_FILE",
  ]);
});

test("doors that others reach in clear are warned of, each by itself", () => {
  const warned = (env: Readonly<Record<string, string>>) =>
    examine(env, "0.0.0.0")
      .filter(({ check }) => check === "door_in_clear")
      .map(({ where }) => where);
  assert.deepEqual(warned({}), ["KEYTURN_GRPC_CERT_FILE", "KEYTURN_HTTP_CERT_FILE"]);
  assert.deepEqual(warned(givenFiles(0)), ["KEYTURN_HTTP_CERT_FILE"]);
  assert.deepEqual(examine({}), []);
});

test("a file that is no certificate is left to the configuration", () => {
  assert.deepEqual(examine({ KEYTURN_HTTP_CERT_FILE: "package.json" }), []);
  assert.deepEqual(examine({ KEYTURN_HTTP_CERT_FILE: "/nonexistent" }), []);
});

test("a key whose mode cannot be looked at is left to the configuration", () => {
  const circle = join(folder, "circle");
  symlinkSync(circle, circle);
  assert.deepEqual(examine({ KEYTURN_HTTP_KEY_FILE: circle }), []);
  assert.deepEqual(examine({ KEYTURN_HTTP_KEY_FILE: folder }), []);
});
