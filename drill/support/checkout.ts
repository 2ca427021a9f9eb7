import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, resolve } from "node:path";

/** What is installed, made or kept in a checkout, and is none of its files. */
const MADE = new Set([".git", ".keyturn", "dist", "node_modules"]);

/** The files of a checkout in a folder of their own, gone with the block. */
export function copyCheckout(root: string): { readonly root: string } & Disposable {
  const copy = mkdtempSync(join(tmpdir(), "keyturn-checkout-"));
  cpSync(root, copy, { recursive: true, filter: (path) => !MADE.has(basename(path)) });
  return { root: copy, [Symbol.dispose]: () => rmSync(copy, { recursive: true, force: true }) };
}

/** Lends a copy the packages that are installed where the drill is called. */
export const lendPackages = (copy: string): void =>
  symlinkSync(resolve("node_modules"), join(copy, "node_modules"));

/** What each file says, by its path. */
export function filesOf(root: string): Map<string, string> {
  const entries = readdirSync(root, { withFileTypes: true }).filter(({ name }) => !MADE.has(name));
  return new Map(
    entries.flatMap((entry): [string, string][] => {
      const path = join(root, entry.name);
      if (!entry.isDirectory()) return [[entry.name, readFileSync(path, "base64")]];
      return [...filesOf(path)].map(([name, text]) => [`${entry.name}/${name}`, text]);
    }),
  );
}
