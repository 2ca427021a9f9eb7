import assert from "node:assert/strict";
import { test } from "node:test";
import { evictOldest } from "../../src/domain/evict.ts";

/** A map that tells how often somebody has looked for its first entry. */
class WatchedMap extends Map<string, number> {
  walks = 0;
  override keys() {
    this.walks += 1;
    return super.keys();
  }
}

function filled(count: number): WatchedMap {
  const map = new WatchedMap();
  for (let key = 0; key < count; key += 1) map.set(String(key), key);
  return map;
}

test("a map that has no more than it may is left alone, and not walked through", () => {
  const map = filled(64);
  evictOldest(map, 64);
  assert.deepEqual([map.size, map.walks], [64, 0]);
});

test("of one that has more, those leave that were set least recently, a sixteenth of what it may have at a time", () => {
  const map = filled(65);
  map.delete("0");
  map.set("0", 0);
  evictOldest(map, 64);
  assert.equal(map.size, 60);
  assert.deepEqual([...map.keys()].slice(0, 2), ["6", "7"]);
  assert.ok(map.has("0"), "it was set again");
});

test("a small map loses no more than it must", () => {
  const map = filled(4);
  evictOldest(map, 3);
  assert.deepEqual([...map.keys()], ["1", "2", "3"]);
});

test("a flood of new keys walks through a full map once for each sixteenth of it", () => {
  const map = filled(1_600);
  for (let key = 1_600; key < 16_000; key += 1) {
    map.set(String(key), key);
    evictOldest(map, 1_600);
    assert.ok(map.size <= 1_600);
  }
  assert.ok(map.walks <= 145, `${map.walks} walks`);
});
