import assert from "node:assert/strict";
import { test } from "node:test";
import { inPieces } from "../../src/observability/log-output.ts";

const PIECE_BYTES = 100;

function given() {
  const pieces: string[] = [];
  return { pieces, output: inPieces(PIECE_BYTES, (piece) => void pieces.push(piece)) };
}

const line = (text: string, bytes: number) => `${text.padEnd(bytes - 1, ".")}\n`;

test("lines are handed on whole, in their order, and together no longer than a piece may be", () => {
  const { pieces, output } = given();
  const lines = Array.from({ length: 50 }, (_, n) => line(String(n), 10 + ((n * 17) % 60)));
  for (const each of lines) output.write(each);
  output.flush();
  assert.equal(pieces.join(""), lines.join(""));
  assert.ok(pieces.length < lines.length, `${pieces.length} pieces`);
  for (const piece of pieces) {
    assert.ok(piece.length <= PIECE_BYTES, `${piece.length} bytes`);
    assert.ok(piece.endsWith("\n"));
  }
});

test("a piece is measured in bytes, and a line that is longer is a piece of its own", () => {
  const { pieces, output } = given();
  const [short, wide, long] = [line("a", 60), `${"ü".repeat(25)}\n`, line("b", 300)];
  for (const each of [short, wide, long, short]) output.write(each);
  output.flush();
  assert.deepEqual(pieces, [short, wide, long, short]);
});

test("a line that no other follows is handed on by itself, and nothing is handed on twice", async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const pieces: string[] = [];
  const output = inPieces(PIECE_BYTES, (piece) => {
    pieces.push(piece);
    resolve();
  });
  output.write("one\n");
  assert.deepEqual(pieces, []);
  const alive = setInterval(() => {}, 1_000);
  await promise;
  clearInterval(alive);
  output.flush();
  assert.deepEqual(pieces, ["one\n"]);
});
