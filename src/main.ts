import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { createProgram } from "./cli/program.ts";
import { type Config, readConfig } from "./config.ts";

/** The process: the one file that reads the environment and the arguments, and the one that ends it. */
function configOrExit(): Config {
  const deps = { readFile: (path: string) => readFileSync(path, "utf8"), cores: availableParallelism() };
  const result = readConfig(process.env, deps);
  if ("config" in result) return result.config;
  for (const mistake of result.mistakes) process.stderr.write(`keyturn: ${mistake}\n`);
  process.exit(1);
}

const program = createProgram({
  config: configOrExit,
  out: (text) => void process.stdout.write(text),
  exit: (code) => process.exit(code),
  isTerminal: process.stdout.isTTY === true,
  onSignal: (signals, handler) => {
    for (const signal of signals) process.on(signal, () => handler(signal));
  },
});

try {
  process.exitCode = await program(process.argv);
} catch (err) {
  process.stderr.write(`keyturn: ${err instanceof Error ? err.message : String(err)}\n`);
  process.exitCode = 1;
}
// Whatever still holds the event loop (a socket to a silent peer) must not keep an ended service alive.
process.exit();
