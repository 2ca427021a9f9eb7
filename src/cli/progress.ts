import type { Terminal } from "./terminal.ts";

/** One line on standard error that is written over and goes away. Where nobody watches, there is none. */
export interface Progress {
  say(words: string): void;
  clear(): void;
}

export function showProgress(terminal: Terminal): Progress {
  let isShown = false;
  return {
    say(words) {
      if (!terminal.isErrTerminal) return;
      terminal.err(`\r\x1b[K${words}…`);
      isShown = true;
    },
    clear() {
      if (isShown) terminal.err("\r\x1b[K");
      isShown = false;
    },
  };
}
