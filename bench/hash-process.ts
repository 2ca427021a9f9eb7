/**
 * Hashes as a server does, by the same library, and nothing besides: as many at a time as there are cores, for so many milliseconds
 * as a line of its input says. Answers each line with what it did. Which build of the library it loads, its environment says.
 */
import { randomBytes } from "node:crypto";
import { availableParallelism } from "node:os";
import { createInterface } from "node:readline";
import { createHasher } from "../src/auth/hasher.ts";
import { summarize } from "./support/summary.ts";

const permits = Number(process.env["HASHES_AT_ONCE"] ?? availableParallelism());
const hasher = createHasher({ permits, randomBytes, now: () => performance.now(), random: Math.random });

async function hashFor(durationMs: number) {
  const startedAt = performance.now();
  const latencies: number[] = [];
  const loop = async () => {
    while (performance.now() < startedAt + durationMs) {
      const from = performance.now();
      await hasher.hash("a secret of about the usual length, forty-three characters");
      latencies.push(performance.now() - from);
    }
  };
  await Promise.all(Array.from({ length: permits }, loop));
  return summarize(latencies, 0, performance.now() - startedAt);
}

process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
for await (const line of createInterface({ input: process.stdin }))
  process.stdout.write(`${JSON.stringify(await hashFor(Number(line)))}\n`);
