import cluster, { type Worker } from "node:cluster";
import type { Log } from "../observability/log.ts";
import type { FromWorker, ToWorker, WorkerReport } from "./worker-message.ts";

export interface WorkerPool {
  /** Resolves with the addresses once each of the first workers listens; rejects when one of them ends before. */
  readonly listening: Promise<{ readonly grpc: string; readonly http: string }>;
  /** What those that listen say. One that does not answer in time stands there with what it said before. */
  reports(): Promise<readonly Heard[]>;
  /** Tells all of them to drain, and resolves when they have ended: whether each did by itself and with 0. */
  drain(timeoutMs: number): Promise<boolean>;
  /** Ends them at once. */
  kill(): void;
}

export interface Heard {
  readonly isAnswering: boolean;
  readonly last: WorkerReport | undefined;
}

interface Slot {
  worker: Worker;
  isListening: boolean;
  startedAt: number;
  /** Ends in a row, each soon after its start. */
  failures: number;
  last: WorkerReport | undefined;
}

const REPORT_MS_MAX = 2_000;
const BACKOFF_MS_MIN = 100;
const BACKOFF_MS_MAX = 30_000;
/** One that has lived for so long is started again at once. */
const SOUND_AFTER_MS = 60_000;

/** Starts `count` workers, and a new one for each that ends. */
export function startWorkers(
  count: number,
  databaseUrl: string | undefined,
  log: Log,
  onEnded: (last: WorkerReport) => void,
): WorkerPool {
  // Connections of HTTP/2 are few and live long: the kernel would give them to whoever wakes up first.
  cluster.schedulingPolicy = cluster.SCHED_RR;
  const slots: Slot[] = [];
  const listening = Promise.withResolvers<{ readonly grpc: string; readonly http: string }>();
  const waiting = new Map<number, (report: WorkerReport) => void>();
  let question = 0;
  let isDraining = false;
  let isStarting = true;
  let isClean = true;
  let onAllEnded = () => {};

  const onMessage = (slot: Slot, index: number) => (message: FromWorker) => {
    if (message.kind === "here") send(slot.worker, { kind: "begin", slot: index, databaseUrl });
    if (message.kind === "report") {
      slot.last = message;
      waiting.get(message.question)?.(message);
    }
    if (message.kind !== "listening") return;
    slot.isListening = true;
    if (!isStarting) return log.event("info", "worker listening", { worker: index });
    if (!slots.every((one) => one.isListening)) return;
    isStarting = false;
    listening.resolve({ grpc: message.grpc, http: message.http });
  };
  const onExit = (slot: Slot, index: number) => (code: number | null, signal: string | null) => {
    slot.isListening = false;
    if (slot.last !== undefined) onEnded(slot.last);
    slot.last = undefined;
    if (isDraining && code !== 0) isClean = false;
    if (isDraining) return void (slots.every(({ worker }) => worker.isDead()) && onAllEnded());
    if (isStarting) return listening.reject(new Error("a worker ended before it listened"));
    slot.failures = Date.now() - slot.startedAt > SOUND_AFTER_MS ? 0 : slot.failures + 1;
    const backoffMs = slot.failures === 0 ? 0 : BACKOFF_MS_MIN * 2 ** (slot.failures - 1);
    const retryMs = Math.min(backoffMs, BACKOFF_MS_MAX);
    const level = code === 0 ? "info" : "error";
    log.event(level, "worker ended", { worker: index, exit_code: code, signal, retry_ms: retryMs });
    setTimeout(() => !isDraining && start(slot, index), retryMs).unref();
  };
  const start = (slot: Slot, index: number) => {
    slot.worker = cluster.fork();
    slot.startedAt = Date.now();
    slot.worker.on("message", onMessage(slot, index));
    slot.worker.on("exit", onExit(slot, index));
    // A message that it does not get any more; its end tells the rest.
    slot.worker.on("error", () => {});
  };
  for (let index = 0; index < count; index += 1) {
    const slot = { isListening: false, failures: 0, last: undefined } as unknown as Slot;
    slots.push(slot);
    start(slot, index);
  }
  const ask = (slot: Slot): Promise<Heard> =>
    new Promise((resolve) => {
      question += 1;
      const asked = question;
      const answer = (report: WorkerReport | undefined) => {
        waiting.delete(asked);
        clearTimeout(timer);
        resolve({ isAnswering: report !== undefined, last: slot.last });
      };
      const timer = setTimeout(answer, REPORT_MS_MAX, undefined);
      waiting.set(asked, answer);
      send(slot.worker, { kind: "report", question: asked });
    });
  return {
    listening: listening.promise,
    reports: () => Promise.all(slots.filter(({ isListening }) => isListening).map(ask)),
    drain(timeoutMs) {
      isDraining = true;
      const living = slots.filter(({ worker }) => !worker.isDead());
      const ended = new Promise<void>((resolve) => {
        onAllEnded = resolve;
        if (living.length === 0) resolve();
      });
      for (const { worker } of living) send(worker, { kind: "drain" });
      const timer = setTimeout(() => kill(slots), timeoutMs);
      return ended.then(() => {
        clearTimeout(timer);
        return isClean;
      });
    },
    kill: () => kill(slots),
  };
}

function kill(slots: readonly Slot[]): void {
  for (const { worker } of slots) if (!worker.isDead()) worker.process.kill("SIGKILL");
}

function send(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message, () => {});
}
