/**
 * Loaded into a server before anything else: the first SIGUSR2 starts V8's profiler, the next one stops it and writes what it
 * has seen. So a profile covers a load, and neither the start nor the warm-up as one by `--cpu-prof` does.
 */
import { renameSync, writeFileSync } from "node:fs";
import { Session } from "node:inspector/promises";
import { profilePathOf } from "./profile-path.ts";

const SAMPLING_MICROSECONDS = 500;

const session = new Session();
session.connect();
let isRunning = false;

async function start(): Promise<void> {
  await session.post("Profiler.enable");
  await session.post("Profiler.setSamplingInterval", { interval: SAMPLING_MICROSECONDS });
  await session.post("Profiler.start");
}

async function stop(): Promise<void> {
  const { profile } = await session.post("Profiler.stop");
  const path = profilePathOf(process.pid);
  writeFileSync(`${path}.part`, JSON.stringify(profile));
  // Whoever waits for it finds it whole.
  renameSync(`${path}.part`, path);
}

process.on("SIGUSR2", () => {
  isRunning = !isRunning;
  void (isRunning ? start() : stop());
});
