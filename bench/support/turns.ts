import { cpuSecondsOf, cpuSecondsOfLoad } from "./processor.ts";
import { percentileOf } from "./spread.ts";
import type { Row } from "./target.ts";

/** What one run did. */
export interface LoadResult {
  readonly answers: number;
  /** Answers that were none. */
  readonly failures: number;
  readonly perSecond: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

export interface Contender {
  readonly name: string;
  /** The process whose processor time is the server's, with all below it; absent where there is none but PostgreSQL. */
  readonly serverPid?: number;
  /** So many answers are dear, as nothing is known yet. */
  readonly coldAnswers?: number;
  run(durationMs: number): Promise<LoadResult>;
}

/** Milliseconds of processor for each answer. */
interface CpuOfAnswer {
  readonly server: number;
  readonly postgres: number;
  readonly load: number;
}

export interface Measurement extends LoadResult {
  readonly cpuMs: CpuOfAnswer;
}

/** By contender, a measurement a round. */
export type Rounds<Name extends string> = Readonly<Record<Name, readonly Measurement[]>>;

export interface Length {
  readonly rounds: number;
  readonly durationMs: number;
  /** How long a contender may take to come to its steady rate. */
  readonly warmUpMsMax: number;
  readonly postgresPid: number;
}

const SLICE_MS = 500;
const STEADY_SLICES = 3;
/** Slices in a row that differ by less than this much are steady. */
const STEADY_FACTOR = 1.1;

/**
 * All the contenders in turns, A-B-C-A-B-C, so that a machine that changes its speed changes all of them. Before that each
 * of them is warm: what is compiled late, and each secret's first check, is behind it.
 */
export async function takeTurns<Name extends string>(
  contenders: Readonly<Record<Name, Contender>>,
  length: Length,
): Promise<Rounds<Name>> {
  const names = Object.keys(contenders) as Name[];
  for (const name of names) await warmUp(contenders[name], length.warmUpMsMax);
  const rounds = Object.fromEntries(names.map((name) => [name, [] as Measurement[]])) as Record<
    Name,
    Measurement[]
  >;
  for (let round = 0; round < length.rounds; round += 1)
    for (const name of names) rounds[name].push(await measure(contenders[name], length));
  return rounds;
}

/** Lets it run until each secret was checked once and its rate is level, or until its time is over. */
export async function warmUp(contender: Contender, msMax: number): Promise<void> {
  for (let cold = contender.coldAnswers ?? 0; cold > 0; ) cold -= (await contender.run(SLICE_MS)).answers;
  const rates: number[] = [];
  const isSteady = () => {
    const last = rates.slice(-STEADY_SLICES);
    const isLevel = Math.max(...last) < Math.min(...last) * STEADY_FACTOR;
    return last.length === STEADY_SLICES && isLevel && Math.max(...last) * STEADY_FACTOR > Math.max(...rates);
  };
  const until = performance.now() + msMax;
  while (performance.now() < until && !isSteady()) rates.push((await contender.run(SLICE_MS)).perSecond);
}

/** One round. @throws Error when it had no answers, or such as were none */
export async function measure(
  contender: Contender,
  { durationMs, postgresPid }: Length,
): Promise<Measurement> {
  const { name, serverPid } = contender;
  const seconds = () => ({
    server: serverPid === undefined ? 0 : cpuSecondsOf(serverPid),
    postgres: cpuSecondsOf(postgresPid),
    load: cpuSecondsOfLoad(),
  });
  const before = seconds();
  const result = await contender.run(durationMs);
  const after = seconds();
  if (result.failures > 0 || result.answers === 0)
    throw new Error(`${name}: ${result.failures} of ${result.answers} failed`);
  const ofAnswer = (who: keyof CpuOfAnswer) => ((after[who] - before[who]) * 1000) / result.answers;
  return {
    ...result,
    cpuMs: { server: ofAnswer("server"), postgres: ofAnswer("postgres"), load: ofAnswer("load") },
  };
}

/** What is compared of a measurement, and how it is written. */
export interface Aspect {
  readonly name: string;
  readonly unit: string;
  of(measurement: Measurement): number;
}

export const RATE: Aspect = { name: "per second", unit: "/s", of: ({ perSecond }) => perSecond };
export const P99: Aspect = { name: "p99", unit: " ms", of: ({ p99Ms }) => p99Ms };
export const MEDIAN: Aspect = { name: "median", unit: " ms", of: ({ p50Ms }) => p50Ms };
export const SERVER_CPU: Aspect = {
  name: "CPU of the server for each",
  unit: " ms",
  of: ({ cpuMs }) => cpuMs.server,
};
/** Answers for each second that the server's processes were on a core. */
export const PER_CORE: Aspect = {
  name: "per second and core of the server",
  unit: "/s",
  of: ({ cpuMs }) => 1000 / cpuMs.server,
};

/** Ours over theirs, a value a round. */
export function ratioRow(
  aspect: Aspect,
  [ours, theirs]: readonly [readonly Measurement[], readonly Measurement[]],
  row: Pick<Row, "what" | "against" | "bound" | "spreadMax">,
): Row {
  const shown = (measurements: readonly Measurement[]) =>
    `${figure(percentileOf(measurements.map(aspect.of), 0.5))}${aspect.unit}`;
  return {
    ...row,
    what: `${row.what}: ${aspect.name}`,
    ours: shown(ours),
    theirs: shown(theirs),
    cpu: `${cpuText(ours)}; ${cpuText(theirs)}`,
    values: ours.map(
      (measurement, round) => aspect.of(measurement) / aspect.of(theirs[round] as Measurement),
    ),
    unit: "×",
  };
}

function cpuText(measurements: readonly Measurement[]): string {
  const median = (who: keyof CpuOfAnswer) =>
    figure(
      percentileOf(
        measurements.map(({ cpuMs }) => cpuMs[who]),
        0.5,
      ),
    );
  return [median("server"), median("postgres"), median("load")].join(" + ");
}

/** Three digits that count. */
export const figure = (value: number): string =>
  value >= 100 ? Math.round(value).toString() : Number(value.toPrecision(3)).toString();
