/** Choices that a seed decides, so that a run that failed can be run again. */
export interface Random {
  /** A whole number from 0 on, and below this one. */
  below(bound: number): number;
  pick<T>(items: readonly T[]): T;
  /** True with this probability. */
  chance(probability: number): boolean;
  /** One of the names, each as likely as its weight says. */
  weighted<Name extends string>(weights: Readonly<Record<Name, number>>): Name;
  /** Version 4. */
  uuid(): string;
}

/** Mulberry32: 32 bits of state, which is plenty for choices and nothing for secrets. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (bound: number) => Math.floor(next() * bound);
  return {
    below,
    pick: (items) => items[below(items.length)] as never,
    chance: (probability) => next() < probability,
    weighted(weights) {
      const entries = Object.entries(weights) as [never, number][];
      let left = next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
      for (const [name, weight] of entries) {
        left -= weight;
        if (left < 0) return name;
      }
      return entries[0]?.[0] as never;
    },
    uuid: () => "xxxxxxxx-xxxx-4xxx-9xxx-xxxxxxxxxxxx".replace(/x/g, () => below(16).toString(16)),
  };
}

/** The seed of this run: KEYTURN_TEST_SEED, or another one each time. */
export const seedOfRun = (): number =>
  Number(process.env["KEYTURN_TEST_SEED"] ?? Math.floor(Math.random() * 2 ** 32));
