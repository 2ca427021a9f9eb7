import { cpSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";

/** What the Dockerfile does, for it cannot be built where there is no Docker: its steps are taken one by one. */
export interface Dockerfile {
  /** `image:tag` of each stage. */
  readonly bases: readonly string[];
  /** The install of the packages, as words. */
  readonly install: readonly string[];
  readonly entrypoint: readonly string[];
  readonly healthcheck: readonly string[];
  readonly user: string;
  readonly env: Readonly<Record<string, string>>;
  /** Copies into a folder what goes into the image, packages apart. */
  copyInto(folder: string): void;
}

export function readDockerfile(): Dockerfile {
  const text = readFileSync("Dockerfile", "utf8").replace(/\\\n\s*/g, "");
  const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  const argumentsOf = (name: string) =>
    lines.filter((line) => line.startsWith(`${name} `)).map((line) => line.slice(name.length + 1));
  const [install = ""] = argumentsOf("RUN").filter((run) => run.startsWith("npm "));
  const [healthcheck = ""] = argumentsOf("HEALTHCHECK");
  return {
    bases: argumentsOf("FROM").map((from) => from.split(" ")[0] ?? ""),
    install: install.split(" "),
    entrypoint: JSON.parse(argumentsOf("ENTRYPOINT").at(-1) ?? "[]"),
    healthcheck: JSON.parse(healthcheck.slice(healthcheck.indexOf("["))),
    user: argumentsOf("USER").at(-1) ?? "",
    env: Object.fromEntries(
      argumentsOf("ENV").flatMap((pairs) => pairs.split(" ").map((pair) => pair.split("="))),
    ),
    copyInto(folder) {
      for (const copy of argumentsOf("COPY").filter((words) => !words.startsWith("--from"))) {
        const words = copy.split(" ");
        const target = words.pop() ?? "";
        for (const source of words)
          copyIntoContext(source, join(folder, target.endsWith("/") ? source : target));
      }
    },
  };
}

/** Only what .dockerignore lets into the context can be copied. */
function copyIntoContext(source: string, target: string): void {
  const patterns = readFileSync(".dockerignore", "utf8").trim().split("\n");
  const isIgnored = (path: string) =>
    patterns.reduce((ignored, pattern) => {
      const name = pattern.replace(/^!/, "");
      const fits = name === "*" || path === name || path.startsWith(`${name}/`);
      return fits ? !pattern.startsWith("!") : ignored;
    }, false);
  cpSync(source, target, { recursive: true, filter: (path) => !isIgnored(relative(".", path)) });
}
