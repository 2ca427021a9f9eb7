import { setTimeout as delay } from "node:timers/promises";

/** Does a work so many times, by so many at a time. */
export async function inParallel(
  workers: number,
  count: number,
  work: (n: number) => Promise<unknown>,
): Promise<void> {
  let next = 0;
  const worker = async () => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: Math.min(workers, count) }, worker));
}

/** Whether something comes about within this time. */
export async function within(ms: number, look: () => Promise<boolean> | boolean): Promise<boolean> {
  const until = performance.now() + ms;
  while (!(await look())) {
    if (performance.now() > until) return false;
    await delay(50);
  }
  return true;
}
