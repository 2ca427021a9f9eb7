import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";

/**
 * Which folder of `src` may import which. Arrows run one way: door → rpc → service → storage → domain. `type` allows
 * types only, which are gone when the code runs.
 */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  domain: [],
  auth: ["domain"],
  storage: ["domain"],
  service: ["domain", "storage", "auth"],
  webhook: ["domain", "type storage"],
  observability: ["domain", "type auth", "type storage"],
  rpc: ["domain", "auth", "service", "observability", "gen"],
  door: ["domain", "rpc", "observability", "gen"],
  /** Resources are printed as the REST edge writes them, and the service is called as anybody calls it. */
  cli: ["root", "domain", "auth", "storage", "observability", "door", "client", "gen", "dynamic dev"],
  /** For programs elsewhere: nothing of the server's may come along. */
  client: ["gen", "published"],
  dev: ["auth", "storage", "type root"],
  /** compose.ts, config.ts and main.ts. */
  root: ["domain", "auth", "storage", "service", "webhook", "observability", "rpc", "door", "cli"],
};

interface Import {
  readonly from: string;
  readonly to: string;
  readonly kind: "" | "type " | "dynamic ";
}

const sources = globSync("src/**/*.ts").map(normalize);

function layerOf(file: string): string {
  const [top, second = "", ...rest] = file.split("/");
  if (top === "gen") return "gen";
  if (file === "service_config.json") return "published";
  return rest.length === 0 ? "root" : second;
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, "utf8");
  const found = text.matchAll(
    /(?:^import\s+(type\s+)?[^;]*?from\s+|^export\s+[^;]*?from\s+|(import)\()["'](\.[^"']+)["']/gm,
  );
  return [...found].map(([, type, dynamic, path = ""]) => ({
    from: file,
    to: normalize(join(dirname(file), path)),
    kind: type !== undefined ? "type " : dynamic !== undefined ? "dynamic " : "",
  }));
}

const imports = sources.flatMap(importsOf);

test("the test sees the imports of the code", () => {
  assert.ok(imports.length > 100, `${imports.length} imports`);
  assert.ok(imports.some(({ kind }) => kind === "dynamic "));
});

test("every import follows an arrow of the design", () => {
  const wrong = imports.filter(({ from, to, kind }) => {
    const [here, there] = [layerOf(from), layerOf(to)];
    const allowed = MAY_IMPORT[here];
    return here !== there && !(allowed?.includes(there) || allowed?.includes(`${kind}${there}`));
  });
  assert.deepEqual(
    wrong.map(({ from, to, kind }) => `${from} → ${kind}${to}`),
    [],
  );
});

test("no import runs in a circle", () => {
  const next = Map.groupBy(
    imports.filter(({ kind }) => kind === ""),
    ({ from }) => from,
  );
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]): void => {
    assert.ok(!path.includes(file), `circle: ${[...path, file].join(" → ")}`);
    if (done.has(file)) return;
    for (const { to } of next.get(file) ?? []) visit(to, [...path, file]);
    done.add(file);
  };
  for (const file of sources) visit(file, []);
});

/** What must not stand in the code, and where it may all the same. */
const FORBIDDEN: readonly { readonly what: string; readonly pattern: RegExp; readonly except: RegExp }[] = [
  { what: "a transaction of the driver", pattern: /\.(transaction|begin)\(/, except: /^$/ },
  { what: "process.env", pattern: /process\.env/, except: /^src\/main\.ts$/ },
  { what: "SQL outside storage", pattern: /\bsql`|\.unsafe\(/, except: /^src\/(storage|dev)\// },
  { what: "console", pattern: /\bconsole\./, except: /^$/ },
  {
    what: "a class that is no error",
    pattern: /^\s*(export )?(abstract )?class (?!\w+ extends Error\b)/m,
    except: /^$/,
  },
  { what: "a gRPC code outside rpc and door", pattern: /\bCode\.[A-Z]/, except: /^src\/(rpc|door)\// },
];

for (const { what, pattern, except } of FORBIDDEN) {
  test(`there is no ${what}`, () => {
    assert.deepEqual(
      sources.filter((file) => !except.test(file) && pattern.test(readFileSync(file, "utf8"))),
      [],
    );
  });
}

test("no file is named for what it is not about", () => {
  assert.deepEqual(
    sources.filter((file) => /(utils?|helpers?|common|types|misc|index)\.ts$/.test(file)),
    [],
  );
});

test("a file stays under 200 lines and a SQL function under 62", () => {
  const linesOf = (file: string) => readFileSync(file, "utf8").split("\n").length - 1;
  const long = [
    ...sources.filter((file) => linesOf(file) >= 200),
    ...globSync("src/storage/functions/*.sql").filter((file) => linesOf(file) >= 62),
  ];
  assert.deepEqual(long, []);
});
