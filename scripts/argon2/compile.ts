import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { folderOfArgon2 } from "./hashes.ts";

const compilers = { c: process.env["CC"] || "cc", cpp: process.env["CXX"] || "c++" };
/** Node's own headers, which its distribution and its npm package bring beside the program. */
const headersOfNode = join(dirname(dirname(process.execPath)), "include", "node");
const headersOfAddons = dirname(
  createRequire(join(folderOfArgon2, "package.json")).resolve("node-addon-api"),
);

/** As in the package's binding.gyp. */
const LIBRARY = ["argon2", "core", "encoding", "thread", "blake2/blake2b"];
const DEFINES = [
  "NDEBUG",
  "NAPI_VERSION=8",
  "NODE_ADDON_API_DISABLE_DEPRECATED",
  "NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED",
];

/** Why nothing can be built on this machine; undefined where it can. */
export function missingForArgon2(): string | undefined {
  if (process.platform !== "linux") return `argon2 is built on Linux only, and this is ${process.platform}`;
  for (const compiler of Object.values(compilers)) {
    if (spawnSync(compiler, ["--version"], { stdio: "ignore" }).status !== 0)
      return `there is no compiler ${compiler}`;
  }
  return existsSync(join(headersOfNode, "node_api.h"))
    ? undefined
    : `Node's headers are not in ${headersOfNode}`;
}

/** Compiles into a folder of its own and gives the addon's path, below `build/Release`. @throws Error with what the compiler says. */
export function compileArgon2(folder: string, march: string): string {
  const common = [
    ...["-O3", `-march=${march}`, "-fPIC", "-pthread", "-fvisibility=hidden", "-D_FORTIFY_SOURCE=2"],
    ...DEFINES.map((define) => `-D${define}`),
    ...[join(folderOfArgon2, "argon2", "include"), headersOfAddons, headersOfNode].map((path) => `-I${path}`),
  ];
  const filling = process.arch === "x64" || process.arch === "ia32" ? "opt" : "ref";
  const objects = [...LIBRARY, filling].map((name) => {
    const object = join(folder, `${basename(name)}.o`);
    const source = join(folderOfArgon2, "argon2", "src", `${name}.c`);
    run(compilers.c, [...common, "-c", source, "-o", object]);
    return object;
  });
  const addon = join(folder, "addon.o");
  const source = join(folderOfArgon2, "argon2.cpp");
  run(compilers.cpp, [...common, "-std=c++17", "-fexceptions", "-c", source, "-o", addon]);
  const binary = join(folder, "build", "Release", "argon2.node");
  mkdirSync(dirname(binary), { recursive: true });
  run(compilers.cpp, ["-shared", "-pthread", "-o", binary, addon, ...objects]);
  return binary;
}

function run(compiler: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(compiler, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${compiler} ended with ${status}: ${stderr.trim().slice(0, 2_000)}`);
}
