/** Of this many parts, one leaves at a time. */
const PARTS = 16;

/**
 * Takes entries out of a map that has more than `entriesMax`, those that were set least recently first, and a few more than
 * it must: to find the first one, V8 steps over every entry that was deleted since it rehashed the map. One at a time, each
 * of them would cost as much as the map is large.
 */
export function evictOldest(map: Map<string, unknown>, entriesMax: number): void {
  if (map.size <= entriesMax) return;
  const entriesLeft = entriesMax - Math.floor(entriesMax / PARTS);
  for (const key of map.keys()) {
    map.delete(key);
    if (map.size <= entriesLeft) return;
  }
}
