import assert from "node:assert/strict";
import { test } from "node:test";
import { fieldOf, hasField, PAGE_FIELDS, type RpcCommand } from "../../src/cli/rpc-command.ts";
import { RPC_COMMANDS } from "../../src/cli/rpc-table.ts";
import { SERVICES } from "../../src/rpc/services.ts";
import { runProgram } from "./program-runner.ts";

const named = ({ group, name }: RpcCommand) => `${group} ${name}`;

/** What the command line does by itself, or by another command. */
const LEFT_OUT: Readonly<Record<string, readonly string[]>> = {
  "service-account update": ["status"],
  "service-account disable": ["display_name", "description", "roles"],
  "service-account enable": ["display_name", "description", "roles"],
  "credential verify": ["client_secret"],
  "credential report-leak": ["client_secret"],
};

for (const row of RPC_COMMANDS) {
  test(`${named(row)}: every field of its request is an argument, an option, or left out on purpose`, () => {
    const covered = [...row.args, ...Object.keys(row.options), ...Object.keys(row.fixed ?? {})];
    const own = [...(LEFT_OUT[named(row)] ?? []), ...(row.columns === undefined ? [] : PAGE_FIELDS)];
    const mask = hasField(row.method, "update_mask") ? ["update_mask"] : [];
    assert.deepEqual(
      [...covered, ...own, ...mask].sort(),
      row.method.input.fields.map(({ name }) => name).sort(),
    );
  });

  test(`${named(row)}: its columns are fields, and its help has examples that can be parsed`, async () => {
    const item = row.method.output.fields.find(({ fieldKind }) => fieldKind === "list")?.message;
    for (const column of row.columns ?? [])
      assert.ok(
        item?.fields.some(({ jsonName }) => jsonName === column),
        column,
      );
    for (const name of row.args) assert.equal(fieldOf(row.method, name).name, name);
    const { status, out } = await runProgram([row.group, row.name, "--help"]);
    assert.equal(status, 0);
    assert.ok(row.examples.length > 0);
    for (const example of row.examples) {
      assert.ok(out.includes(`$ keyturn ${example}`), out);
      // It gets as far as asking who calls, for a file that is not here, or for the service.
      const { err } = await runProgram([...wordsOf(example), "--address", "127.0.0.1:1", "--timeout", "1s"], {
        input: "x",
      });
      assert.match(
        err,
        /^keyturn: (set KEYTURN_ACCESS_TOKEN|secret cannot be read|UNAVAILABLE|DEADLINE_EXCEEDED)/,
      );
    }
    assert.match(out, /^Exit code: 0 .*1 .*2 /m);
  });
}

/** As a shell has them, without what it redirects. */
const wordsOf = (line: string): string[] =>
  [...line.replace(/ < \w+$/, "").matchAll(/'([^']*)'|\S+/g)].map(([word, quoted]) => quoted ?? word);

test("every RPC of the service is a command, but for those of tokens, which OAuth clients have", () => {
  const called = new Set(RPC_COMMANDS.map(({ method }) => method.name));
  const all = Object.values(SERVICES).flatMap(({ methods }) => methods);
  const missing = all.filter(({ name }) => !called.has(name)).map(({ name }) => name);
  assert.deepEqual(missing, ["MintToken", "IntrospectToken", "RevokeToken"]);
});

test("what is wrong with a command line ends with 2, and its sentence is on standard error", async () => {
  const account = ["credential", "create", "sa-one", "--show-secret"];
  const wrong = [
    ["sreve"],
    ["credential"],
    ["credential", "creat"],
    ["credential", "create"],
    ["credential", "get", "sa-one"],
    ["service-account", "create", "sa-one"],
    [...account, "--expires-at", "tomorrow"],
    [...account, "--expires-at", "2027-01-31T00:00:00"],
    [...account, "--labels", "a"],
    [...account, "--output", "xml"],
    [...account, "--timeout", "10"],
    [...account, "--display-nam", "a"],
    ["credential", "list", "sa-one", "--status", "ACTIVE"],
    ["credential", "list", "sa-one", "--limit", "0"],
    ["credential", "rotate", "sa-one", "cred-1", "--grace-period", "24"],
    ["policy", "set", "--max-active-credentials", "five"],
    ["token", "--org", "acme"],
    ["audit", "verify", "--orgs", "acme"],
    ["keys", "rotate", "--then"],
  ];
  for (const args of wrong) {
    const { status, out, err } = await runProgram(args);
    assert.deepEqual([status, out], [2, ""], args.join(" "));
    assert.match(err, /^(error: |Usage: )/, args.join(" "));
  }
});

test("what contradicts itself is refused before anything is called", async () => {
  const wrong = [
    { args: ["policy", "set"], says: "nothing to change" },
    { args: ["service-account", "update", "sa-one", "--clear", "id"], says: "no such field" },
    {
      args: ["service-account", "update", "sa-one", "--description", "a", "--clear", "description"],
      says: "exclude each other",
    },
    { args: ["service-account", "delete", "sa-one"], says: "--yes" },
    { args: ["credential", "revoke-all"], says: "--yes" },
    { args: ["credential", "verify"], says: "standard input" },
    { args: ["credential", "get", "sa-one", "cred-1"], says: "KEYTURN_ACCESS_TOKEN" },
    { args: ["policy", "get", "--token-file", "/nonexistent/token"], says: "ENOENT" },
    { args: ["policy", "get", "--plaintext", "--ca-file", "package.json"], says: "exclude each other" },
    { args: ["policy", "get", "--cert-file", "package.json"], says: "go together", token: "t" },
  ];
  for (const { args, says, token } of wrong) {
    const { status, out, err } = await runProgram(args, { env: { KEYTURN_ACCESS_TOKEN: token } });
    assert.deepEqual([status, out], [2, ""], args.join(" "));
    assert.match(err, /^keyturn: [^\n]+\n$/);
    assert.ok(err.includes(says), err);
  }
});
