import assert from "node:assert/strict";
import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";

const documents = globSync(["*.md", "docs/**/*.md", "deploy/**/*.md"]).map((path) => ({
  path,
  text: readFileSync(path, "utf8"),
}));

const anchorsOf = (text: string) =>
  [...text.matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );

test("every link of a document leads to a file, and to a chapter of it", () => {
  const broken = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/\]\(((?!https?:)[^)#]*)(?:#([^)]*))?\)/g)]
      .filter(([, file = "", anchor]) => {
        const target = file === "" ? path : join(dirname(path), file);
        if (!existsSync(target)) return true;
        return anchor !== undefined && !anchorsOf(readFileSync(target, "utf8")).includes(anchor);
      })
      .map(([link]) => `${path}: ${link}`),
  );
  assert.deepEqual(broken, []);
});

test("every test that a document names is there", () => {
  const missing = documents.flatMap(({ path, text }) =>
    [...text.matchAll(/`(test\/[\w/*.-]+\.ts)`/g)]
      .filter(([, file = ""]) => globSync(file).length === 0)
      .map(([, file]) => `${path}: ${file}`),
  );
  assert.deepEqual(missing, []);
});

test("every command of the runbook is one of the command line, with options that it has", () => {
  const reference = readFileSync("docs/command-line.md", "utf8");
  const chapters = new Map(
    reference.split(/^## /m).map((chapter) => [chapter.slice(0, chapter.indexOf("\n")), chapter]),
  );
  const runbook = readFileSync("docs/runbook.md", "utf8");
  const commands = [...runbook.matchAll(/^(?:[A-Z_]+=\S+ )*keyturn ([a-z][a-z -]*[a-z])(.*)$/gm)];
  assert.ok(commands.length > 10);
  for (const [line] of commands) {
    const words = line.replace(/^(?:[A-Z_]+=\S+ )*keyturn /, "").split(" ");
    const chapter = chapters.get(`${words[0]} ${words[1]}`) ?? chapters.get(words[0] ?? "");
    assert.ok(chapter, line);
    for (const option of words.filter((word) => word.startsWith("--")))
      assert.ok(chapter.includes(`${option} `) || chapter.includes(`${option}\n`), `${line}: ${option}`);
  }
});
