import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { runProgram } from "./program-runner.ts";

interface Shell {
  readonly name: string;
  /** A program of that shell, which prints what its completion offers behind the words, one a line. */
  readonly ask: (scriptFile: string, words: readonly string[]) => string;
}

const quoted = (words: readonly string[]) => words.map((word) => `'${word}'`).join(" ");

const SHELLS: readonly Shell[] = [
  {
    name: "bash",
    ask: (file, words) =>
      `set -eu; source ${file}; [ "$(complete -p keyturn)" = "complete -F _keyturn keyturn" ]
       COMP_WORDS=(keyturn ${quoted(words)}); COMP_CWORD=${words.length}; _keyturn; printf '%s\\n' "\${COMPREPLY[@]}"`,
  },
  {
    name: "zsh",
    // compadd and _files work inside of a completion only, so that what they are given is printed instead.
    ask: (file, words) =>
      `compdef() { [ "$*" = "_keyturn keyturn" ] || exit 9; }; source ${file}
       compadd() { shift; local word; for word in "$@"; do [[ $word = "\${words[CURRENT]}"* ]] && print -r -- $word; done; true; }
       _files() { print -rl -- "\${words[CURRENT]}"*(N); true; }
       words=(keyturn ${quoted(words)}); CURRENT=${words.length + 1}; _keyturn`,
  },
];

let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), "keyturn-completion-"));
  writeFileSync(join(folder, "secret-file"), "");
});
after(() => rmSync(folder, { recursive: true }));

const CASES: readonly { readonly words: readonly string[]; readonly offers: readonly string[] }[] = [
  { words: ["pol"], offers: ["policy"] },
  { words: ["credential", "re"], offers: ["refused-uses", "report-leak", "revoke-all"] },
  { words: ["credential", "create", "--secret"], offers: ["--secret-file"] },
  { words: ["credential", "create", "sa-one", "--exp"], offers: ["--expires-at"] },
  { words: ["credential", "create", "--output", ""], offers: ["json", "yaml", "table"] },
  { words: ["credential", "create", "-o", "y"], offers: ["yaml"] },
  {
    words: ["credential", "list", "sa-one", "--status", ""],
    offers: ["active", "expired", "revoked", "pending"],
  },
  { words: ["service-account", "list", "--status", "dis"], offers: ["disabled"] },
  { words: ["--help", "audit", "v"], offers: ["verify"] },
  // The value of an option is no command, though it is called like one.
  { words: ["credential", "list", "--address", "verify", "--never"], offers: ["--never-used"] },
  { words: ["credential", "create", "--secret-file", "secret-f"], offers: ["secret-file"] },
  { words: ["credential", "create", "sa-one", ""], offers: [] },
  { words: ["completion", ""], offers: ["bash", "zsh"] },
];

for (const { name, ask } of SHELLS) {
  const isMissing = spawnSync(name, ["-c", "true"]).status !== 0;
  test(`${name} completes commands, options, their words and files, once the script is sourced`, {
    skip: isMissing && `${name} is not on this machine`,
  }, async () => {
    const { status, out } = await runProgram(["completion", name]);
    assert.equal(status, 0);
    const file = join(folder, name);
    writeFileSync(file, out);
    for (const { words, offers } of CASES) {
      const ran = spawnSync(name, ["-c", ask(file, words)], { encoding: "utf8", cwd: folder });
      assert.deepEqual([ran.status, ran.stderr], [0, ""], words.join(" "));
      assert.deepEqual(
        ran.stdout
          .split("\n")
          .filter((line) => line !== "")
          .sort(),
        [...offers].sort(),
        words.join(" "),
      );
    }
  });
}
