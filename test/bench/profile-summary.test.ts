import assert from "node:assert/strict";
import { test } from "node:test";
import type { Frame } from "../../bench/support/profile-area.ts";
import { type CpuProfile, summarizeProfile } from "../../bench/support/profile-summary.ts";

const native = (functionName: string): Frame => ({ functionName, url: "", lineNumber: -1 });
const at = (url: string, functionName: string): Frame => ({ functionName, url, lineNumber: 9 });
const SOCKET = at("node:internal/stream_base_commons", "onStreamRead");
const DOOR = at("file:///app/src/door/rest.ts", "handle");
const KERNEL = at("file:///app/src/rpc/kernel.ts", "invoke");
const CHAIN = at("file:///app/src/rpc/chain.ts", "callOf");
const READ = at("file:///app/node_modules/@bufbuild/protobuf/dist/esm/from-binary.js", "fromBinary");
const TICK = at("node:internal/process/task_queues", "processTicksAndRejections");

/** Nodes as [frame, samples, children], each with its place in the list as its id. */
const profileOf = (...nodes: readonly (readonly [Frame, number, ...number[]])[]): CpuProfile => ({
  nodes: nodes.map(([callFrame, hitCount, ...children], id) => ({ id, callFrame, hitCount, children })),
});

/** 100 samples of work and as many of none. */
const profile = profileOf(
  [native("(root)"), 0, 1, 2, 3, 4, 11],
  [native("(idle)"), 100],
  [native("(program)"), 10],
  [native("(garbage collector)"), 14],
  [SOCKET, 6, 5],
  [DOOR, 4, 6, 7],
  [native("RegExp: ^a|b$"), 5],
  [KERNEL, 1, 8],
  [CHAIN, 20, 9, 10],
  [READ, 15],
  [native("sign"), 5],
  [TICK, 0, 12],
  [READ, 20],
);
const sharesOf = (shares: readonly { readonly name: string; readonly share: number }[]) =>
  shares.map(({ name, share }) => [name, Math.round(share * 100)]);

test("the time that was busy is shared out among areas, and what is native belongs to who calls it", () => {
  const { areas, idle } = summarizeProfile(profile);
  assert.equal(idle, 0.5);
  assert.deepEqual(sharesOf(areas), [
    ["Protobuf", 35],
    ["our interceptors and handlers", 26],
    ["garbage", 14],
    ["native code and the kernel", 10],
    ["our doors", 9],
    ["Node's sockets and streams", 6],
  ]);
});

test("a function's time is its own, in whatever way it was called", () => {
  const { functions } = summarizeProfile(profile);
  assert.deepEqual(sharesOf(functions).slice(0, 4), [
    ["fromBinary (esm/from-binary.js:10)", 35],
    ["callOf (rpc/chain.ts:10)", 20],
    ["(garbage collector)", 14],
    ["(program)", 10],
  ]);
});

test("a path has the time of all below it, and none that hardly differs from its branch is named", () => {
  const { paths } = summarizeProfile(profile);
  assert.deepEqual(sharesOf(paths), [
    ["onStreamRead", 56],
    ["onStreamRead › handle", 50],
    ["onStreamRead › handle › invoke", 41],
    ["processTicksAndRejections › fromBinary", 20],
    ["onStreamRead › handle › invoke › fromBinary", 15],
    ["(garbage collector)", 14],
  ]);
});

test("fifteen functions and ten paths are named at most", () => {
  const many = Array.from({ length: 40 }, (_, place) => [at(`node:net`, `f${place}`), 1] as const);
  const root = [native("(root)"), 0, ...many.map((_, place) => place + 1)] as const;
  const { functions, paths } = summarizeProfile(profileOf(root, ...many));
  assert.deepEqual([functions.length, paths.length], [15, 10]);
});
