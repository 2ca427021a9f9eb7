/** The rules for scanners of repositories, on a hundred thousand secrets and as many texts that are nearly ones. */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createSecretKey, randomBytes } from "node:crypto";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, test } from "node:test";
import { composeSecret, newCredentialId, secretPattern } from "../../src/domain/secret.ts";
import { skipWithout, toolNamed } from "./tool.ts";

const COUNT = 100_000;
/** Gitleaks cuts what is longer than 100,000 characters, and misses what stands at the cut. */
const PER_FILE = 500;
const RULE = resolve("deploy/leak-scanning/secretlint-rule-keyturn/index.js");
const GITLEAKS_CONFIG = resolve("deploy/leak-scanning/gitleaks.toml");

const tagKey = createSecretKey(randomBytes(32));
const freshSecret = (prefix = "plt"): string =>
  composeSecret({ prefix, credentialId: newCredentialId(randomBytes), tagKey, randomBytes });

/** How secrets stand in files. */
const CONTEXTS: readonly ((secret: string) => string)[] = [
  (secret) => secret,
  (secret) => `KEYTURN_SECRET=${secret}`,
  (secret) => `  client_secret: "${secret}" # production`,
  (secret) => JSON.stringify({ clientId: "sa@acme.iam", clientSecret: secret, scope: "all" }),
  (secret) => `curl -u 'sa@acme.iam:${secret}' https://keyturn.example/oauth2/token`,
  (secret) => `<secret>${secret}</secret>`,
  (secret) => `grant_type=client_credentials&client_secret%3D${secret}&scope=`,
  (secret) => `const text = "first line\\n${secret}\\nlast line";`,
  (secret) => `https://sa:${secret}@keyturn.example/`,
  (secret) => `[${secret}](${secret.slice(0, 20)})`,
];
const inContext = (secret: string, n: number): string => (CONTEXTS[n % CONTEXTS.length] ?? String)(secret);

const other = (character: string): string => (character === "7" ? "8" : "7");

/** One character of it is another: the checksum no longer fits. */
const miscopied = (secret: string, n: number): string => {
  const place = secret.length - 1 - (n % 60);
  return secret.slice(0, place) + other(secret.charAt(place)) + secret.slice(place + 1);
};

/** Nothing that has the form of a secret. */
const MISSHAPEN: readonly ((secret: string) => string)[] = [
  (secret) => secret.slice(0, -1),
  (secret) => `${secret}0`,
  (secret) => secret.replace("plt_", "pit_"),
  (secret) => secret.replace("cred-", "cred_"),
  (secret) => secret.toUpperCase(),
  (secret) => `${secret.slice(0, 15)}l${secret.slice(16)}`,
  (secret) => `${secret.slice(0, 60)}-${secret.slice(61)}`,
  (secret) => `${secret.slice(0, 50)}\n${secret.slice(50)}`,
  (secret) => secret.slice(0, -60),
  (secret) => `${secret.slice(0, 33)}${"…".padStart(60, "x")}`,
];

interface Corpus {
  readonly secrets: readonly string[];
  readonly folder: string;
  readonly files: readonly string[];
}

const folder = mkdtempSync(join(tmpdir(), "keyturn-leaks-"));
after(() => rmSync(folder, { recursive: true, force: true }));

function corpusOf(
  name: string,
  make: (n: number) => { readonly secret: string; readonly text: string },
): Corpus {
  const all = Array.from({ length: COUNT }, (_, n) => make(n));
  const ownFolder = join(folder, name);
  mkdirSync(ownFolder);
  const files = Array.from({ length: COUNT / PER_FILE }, (_, file) => {
    const path = join(ownFolder, `${file}.txt`);
    const lines = all.slice(file * PER_FILE, (file + 1) * PER_FILE).map(({ text }) => text);
    writeFileSync(path, `${lines.join("\n")}\n`);
    return path;
  });
  return { secrets: all.map(({ secret }) => secret), folder: ownFolder, files };
}

let real: Corpus;
let miscopies: Corpus;
let misshapen: Corpus;
before(() => {
  real = corpusOf("real", (n) => {
    const secret = freshSecret();
    return { secret, text: inContext(secret, n) };
  });
  miscopies = corpusOf("miscopied", (n) => {
    const secret = miscopied(freshSecret(), n);
    return { secret, text: inContext(secret, Math.floor(n / 60)) };
  });
  misshapen = corpusOf("misshapen", (n) => {
    const secret = (MISSHAPEN[n % MISSHAPEN.length] ?? String)(freshSecret());
    return { secret, text: inContext(secret, Math.floor(n / 10)) };
  });
});

test("the rules have the published regular expression", () => {
  const published = secretPattern("plt");
  assert.ok(readFileSync(GITLEAKS_CONFIG, "utf8").includes(`regex = '''${published}'''`));
  const rule = readFileSync(RULE, "utf8");
  assert.ok(rule.includes(published.replace("plt_", "_").replace("\\b", "\\\\b")));
});

/** The rule as secretlint calls it, without secretlint: the secrets that it reports in a text. */
async function reported(content: string, options?: { readonly prefix: string }): Promise<string[]> {
  const { creator } = await import(RULE);
  const found: string[] = [];
  const context = {
    createTranslator: () => () => ({}),
    report: ({ range: [start, end] }: { readonly range: [number, number] }) =>
      void found.push(content.slice(start, end)),
  };
  creator.create(context, options).file({ content });
  return found;
}

test("secretlint's rule reports each of the secrets where it stands, and nothing of the others", async () => {
  const found = (await Promise.all(real.files.map((file) => reported(readFileSync(file, "utf8"))))).flat();
  assert.equal(found.length, COUNT);
  assertSame(new Set(found), new Set(real.secrets));
  for (const { files } of [miscopies, misshapen])
    for (const file of files) assert.deepEqual(await reported(readFileSync(file, "utf8")), [], file);
});

test("with another prefix the rule finds the secrets that have it, and no others", async () => {
  const [own, foreign] = [freshSecret("acme1"), freshSecret()];
  assert.deepEqual(await reported(`${own} ${foreign}`, { prefix: "acme1" }), [own]);
  await assert.rejects(reported(own, { prefix: "a.*" }), TypeError);
});

/** Shows three of what differs, and not a hundred thousand. */
function assertSame(found: Set<string>, expected: Set<string>): void {
  const missing = [...expected].filter((secret) => !found.has(secret));
  const strange = [...found].filter((secret) => !expected.has(secret));
  assert.deepEqual([missing.slice(0, 3), strange.slice(0, 3)], [[], []]);
}

/** The secrets that it finds in a file or folder. It decodes what looks encoded, and says some of it twice. */
function gitleaks(path: string): Set<string> {
  const report = join(folder, "report.json");
  const how = ["--no-banner", "--config", GITLEAKS_CONFIG, "--exit-code", "0", "-f", "json", "-r", report];
  const { status, stderr } = spawnSync(toolNamed("gitleaks") ?? "", ["dir", ...how, path], {
    encoding: "utf8",
  });
  assert.equal(status, 0, stderr);
  const found = JSON.parse(readFileSync(report, "utf8")) as readonly { readonly Secret: string }[];
  return new Set(found.map(({ Secret }) => Secret));
}

test("gitleaks finds each of the secrets, and nothing that has not their form", {
  skip: skipWithout("gitleaks"),
}, () => {
  assertSame(gitleaks(real.folder), new Set(real.secrets));
  assertSame(gitleaks(misshapen.folder), new Set());
  // It computes no checksum.
  const [file = ""] = miscopies.files;
  assertSame(gitleaks(file), new Set(miscopies.secrets.slice(0, PER_FILE)));
});

function secretlint(file: string): {
  readonly status: number | null;
  readonly ranges: readonly (readonly number[])[];
} {
  const config = JSON.stringify({ rules: [{ id: RULE }] });
  const cli = realpathSync(toolNamed("secretlint") ?? "");
  const args = [cli, "--secretlintrcJSON", config, "--format", "json", "--no-gitignore", "--no-glob", file];
  const { status, stdout } = spawnSync(process.execPath, args, {
    encoding: "utf8",
    cwd: folder,
    maxBuffer: 1e9,
  });
  const results = JSON.parse(stdout || "[]") as readonly {
    readonly messages: readonly { readonly range: number[] }[];
  }[];
  return { status, ranges: results.flatMap(({ messages }) => messages.map(({ range }) => range)) };
}

test("secretlint itself loads the rule, reports each secret of a file, and passes a file of miscopied ones", {
  skip: skipWithout("secretlint"),
}, () => {
  const [[hit = ""], [miss = ""]] = [real.files, miscopies.files];
  const { status, ranges } = secretlint(hit);
  assert.equal(status, 1);
  const content = readFileSync(hit, "utf8");
  assert.deepEqual(
    ranges.map(([start, end]) => content.slice(start, end)),
    real.secrets.slice(0, PER_FILE),
  );
  assert.deepEqual(secretlint(miss), { status: 0, ranges: [] });
});
