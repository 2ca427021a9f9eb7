import { getHeapStatistics } from "node:v8";

/** What V8 keeps beside the old generation is a part of its limit as well, so that half of the limit is enough. */
const PART_OF_LIMIT = 0.5;

/**
 * A start leaves a quarter of a server's memory behind as garbage (sources, syntax trees, modules as they were put together), which
 * V8 would keep as long as nothing is asked of the server. Takes some 30 ms, once, in which no call is answered.
 *
 * V8 collects everything, and gives back what it has freed, when more memory outside of its heap is asked for than half of what
 * the heap may have. This asks for as much and touches none of it, so that it takes addresses and no memory. A context of
 * its own, in which `gc` is known, costs checks up to a half more of the processor, also when it is long gone
 * (docs/adr/0004).
 */
export function collectGarbageOfStart(): void {
  try {
    const asked = new ArrayBuffer(Math.ceil(getHeapStatistics().heap_size_limit * PART_OF_LIMIT));
    // It would be there until V8 collects the next time.
    asked.transfer(0);
  } catch {
    // Where so many addresses are not to be had, nothing is lost.
  }
}
