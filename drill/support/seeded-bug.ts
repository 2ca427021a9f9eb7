import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type postgres from "postgres";
import { copyCheckout, lendPackages } from "./checkout.ts";
import type { Invariant } from "./drill.ts";

/** A replacement of text in one file of the checkout, which breaks one invariant. */
export interface SeededBug {
  readonly name: string;
  readonly breaks: Invariant;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly from: string;
  readonly to: string;
}

const FUNCTIONS = "src/storage/functions/";

function seededText({ name, file, from, to }: SeededBug): string {
  const parts = readFileSync(file, "utf8").split(from);
  if (parts.length !== 2) throw new Error(`${name}: ${file} has its text ${parts.length - 1} times`);
  return parts.join(to);
}

/** A copy of the checkout with the bug in it, gone with the block; the checkout itself where there is none. */
export function seededRoot(bug: SeededBug | undefined): { readonly root: string } & Disposable {
  if (bug === undefined || bug.file.startsWith(FUNCTIONS))
    return { root: resolve("."), [Symbol.dispose]: () => {} };
  const text = seededText(bug);
  const copy = copyCheckout(".");
  lendPackages(copy.root);
  writeFileSync(join(copy.root, bug.file), text);
  return copy;
}

/** Puts a bug of a SQL function into a database. Its owner stays, as it is replaced. */
export async function seedDatabase(sql: postgres.Sql, bug: SeededBug | undefined): Promise<void> {
  if (bug?.file.startsWith(FUNCTIONS)) await sql.unsafe(seededText(bug));
}
