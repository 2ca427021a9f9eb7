/** Two ways of a call whose times are to be compared. A sample is the milliseconds of one call. */
export interface Timed {
  readonly a: readonly number[];
  readonly b: readonly number[];
}

/**
 * Calls the two in turn, in an order that is drawn anew for each pair: whatever the machine does meanwhile, it does to
 * both.
 */
export async function timePairs(
  pairs: number,
  a: (pair: number) => Promise<unknown>,
  b: (pair: number) => Promise<unknown>,
): Promise<Timed> {
  const times = { a: [] as number[], b: [] as number[] };
  const time = async (into: number[], call: Promise<unknown>, from: number) => {
    await call;
    into.push(performance.now() - from);
  };
  for (let pair = 0; pair < pairs; pair += 1) {
    const isFirst = Math.random() < 0.5;
    if (isFirst) await time(times.a, a(pair), performance.now());
    await time(times.b, b(pair), performance.now());
    if (!isFirst) await time(times.a, a(pair), performance.now());
  }
  return times;
}

/** The share of the slowest that is left out on either side: a scheduler's doing, and not the server's. */
const TRIMMED = 0.1;

/** Welch's t of the two, each without its slowest tenth. Between two that are alike it is hardly ever beyond 4.5. */
export function welchT({ a, b }: Timed): number {
  const [left, right] = [momentsOf(trimmed(a)), momentsOf(trimmed(b))];
  return (left.mean - right.mean) / Math.sqrt(left.variance / left.count + right.variance / right.count);
}

export const medianOf = (samples: readonly number[]): number =>
  samples.toSorted((left, right) => left - right)[Math.floor(samples.length / 2)] ?? Number.NaN;

const trimmed = (samples: readonly number[]): readonly number[] =>
  samples.toSorted((left, right) => left - right).slice(0, Math.ceil(samples.length * (1 - TRIMMED)));

function momentsOf(samples: readonly number[]) {
  const count = samples.length;
  const mean = samples.reduce((sum, sample) => sum + sample, 0) / count;
  const variance = samples.reduce((sum, sample) => sum + (sample - mean) ** 2, 0) / (count - 1);
  return { count, mean, variance };
}
