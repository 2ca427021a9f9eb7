import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/**
 * A start leaves a quarter of a server's memory behind as garbage (sources, syntax trees, modules as they were put together), which
 * V8 would keep as long as nothing is asked of the server. Takes some 80 ms, once, in which no call is answered.
 */
export function collectGarbageOfStart(): void {
  const contexts = contextCount();
  // The flag makes `gc` known to contexts that are made after it, and to no code of ours. Where it does not, nothing is lost.
  setFlagsFromString("--expose-gc");
  runInNewContext("globalThis.gc?.()");
  setFlagsFromString("--no-expose-gc");
  endContextsBeyond(contexts);
}

const contextCount = (): number => getHeapStatistics().number_of_native_contexts;

/** Together they are more than a young generation. */
const GARBAGE_ROUNDS_MAX = 200;
const GARBAGE_OBJECTS = 8_192;

/**
 * A second context costs checks up to a third of their speed for as long as it is there, which is until V8 next collects all of
 * its memory. By itself it may not do that for minutes; with this flag it does as soon as the young generation is full.
 */
function endContextsBeyond(count: number): void {
  setFlagsFromString("--gc-global");
  for (let round = 0; round < GARBAGE_ROUNDS_MAX && contextCount() > count; round += 1)
    Array.from({ length: GARBAGE_OBJECTS }, () => ({}));
  setFlagsFromString("--no-gc-global");
}
