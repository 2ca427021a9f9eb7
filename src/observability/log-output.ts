import { type DestinationStream, pino } from "pino";

/** What waits for a reader of the log at most. A reader that stands still must not take the server's memory: what is more is lost. */
const LOG_BYTES_MAX = 16 * 1024 * 1024;
/** How long a line waits for others. */
const LINGER_MS = 100;

/**
 * The process's own output, written in pieces of 16 KiB or ten times a second: a write a line would be a system call a
 * call. What is left is written when the process ends, unless it is killed.
 */
export const bufferedOutput = (): DestinationStream => standardOutput(16 * 1024);

/**
 * The same where several processes write to one pipe: only what is no longer than PIPE_BUF is sure not to get mixed up with
 * what another one writes (pipe(7)).
 */
export const bufferedSharedOutput = (): DestinationStream => standardOutput(4 * 1024);

function standardOutput(pieceBytes: number): DestinationStream {
  const pieces = inPieces(pieceBytes, (piece) => void output.write(piece));
  // Before the output hears of the end itself, for it then writes what it has.
  for (const end of ["beforeExit", "exit"]) process.on(end, pieces.flush);
  const output = pino.destination({ dest: 1, sync: false, maxLength: LOG_BYTES_MAX, maxWrite: pieceBytes });
  return pieces;
}

/**
 * Hands lines on in pieces of whole lines, which are as long as they may be or have waited for 100 ms. pino's destination could
 * collect lines by itself, but looks at all that it has collected again at each line: half of what a line costs.
 */
export function inPieces(
  pieceBytes: number,
  handOn: (piece: string) => void,
): DestinationStream & { flush(): void } {
  let lines: string[] = [];
  let heldBytes = 0;
  let timer: NodeJS.Timeout | undefined;

  function flush(): void {
    clearTimeout(timer);
    timer = undefined;
    if (lines.length === 0) return;
    const piece = lines.join("");
    lines = [];
    heldBytes = 0;
    handOn(piece);
  }
  return {
    write(line) {
      const bytes = Buffer.byteLength(line);
      if (heldBytes + bytes > pieceBytes) flush();
      lines.push(line);
      heldBytes += bytes;
      timer ??= setTimeout(flush, LINGER_MS).unref();
    },
    flush,
  };
}
