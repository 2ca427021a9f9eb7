import type { Settings } from "../../config-schema.ts";
import { type Finding, ok, wrong } from "./finding.ts";
import { privateFileFindings } from "./private-file.ts";

/** 32 random bytes have about 30 different ones; fewer than this were typed. */
const DISTINCT_BYTES_MIN = 16;

/** Who else could have the root key. Its form is the configuration's to judge. */
export function examineRootKey(
  env: Readonly<Record<string, string | undefined>>,
  settings: Partial<Settings>,
): Finding[] {
  const file = env["KEYTURN_ROOT_KEY_FILE"] || undefined;
  const where = file === undefined ? "KEYTURN_ROOT_KEY" : "KEYTURN_ROOT_KEY_FILE";
  const keys = settings.KEYTURN_ROOT_KEY;
  const findings = [
    ...(file === undefined ? [] : privateFileFindings("root_key", where, file)),
    ...(keys ?? []).flatMap((key, index) =>
      new Set(key.export()).size < DISTINCT_BYTES_MIN
        ? [
            wrong(
              "root_key_guessable",
              where,
              `root key ${index + 1} is not random`,
              "put a random one before it, and keep it behind that: see docs/operations.md",
            ),
          ]
        : [],
    ),
  ];
  if (findings.length > 0 || keys === undefined) return findings;
  return [
    ok(
      "root_key",
      where,
      keys.length === 1 ? "one root key" : `${keys.length} root keys, the first is current`,
    ),
  ];
}
