import { setTimeout as delay } from "node:timers/promises";

/** Far more than anything here takes: only a failure waits for it. */
const PATIENCE_MS = 40_000;

/** What `look` finds, once it finds something. @throws when it finds nothing for too long. */
export async function eventually<T>(
  look: () => Promise<T | undefined> | T | undefined,
): Promise<NonNullable<T>> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  while (performance.now() < giveUpAt) {
    const found = await look();
    if (found) return found;
    await delay(5);
  }
  throw new Error(`has not come about: ${look.toString()}`);
}
