/** What of the inside must never leave: places in the code, statements, tables, hashes. None of it is ever sent to the service. */
const INSIDE: readonly (readonly [what: string, pattern: RegExp])[] = [
  ["a stack", /\bat [\w.<>\s]{1,60} \(|file:\/\/|node:internal|node_modules|\.ts:\d+/],
  ["a hash", /\$argon2/],
  [
    "SQL",
    /keyturn\.(credentials|service_accounts|organizations|audit|replays|policies)|syntax error at|violates \w+[\w ]* constraint|relation "/,
  ],
  ["an error of the driver", /PostgresError|ECONNREFUSED|DrizzleQueryError/],
];

const SECRET = /plt_cs_cred-[a-z0-9]+_[A-Za-z0-9]{60}/;

/** What an answer says that it must not, in one word; undefined where it says nothing of the kind. */
export function tellsOfInside(text: string, maySeeSecret: boolean): string | undefined {
  if (!maySeeSecret && SECRET.test(text)) return "a secret";
  return INSIDE.find(([, pattern]) => pattern.test(text))?.[0];
}

/** Lines of a server's output that say that it met what it had not expected. */
export function defectsIn(output: string): string[] {
  return output
    .split("\n")
    .filter((line) => line !== "" && (!line.startsWith("{") || /"level":"(error|fatal)"/.test(line)));
}
