import { setTimeout as delay } from "node:timers/promises";

/** What `look` finds, once it finds something. Gives up by the patience of the test runner alone. */
export async function eventually<T>(
  look: () => Promise<T | undefined> | T | undefined,
): Promise<NonNullable<T>> {
  for (;;) {
    const found = await look();
    if (found) return found;
    await delay(5);
  }
}
