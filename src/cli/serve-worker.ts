import type { Config } from "../config.ts";
import { createLog } from "../observability/log.ts";
import { shareOf } from "../worker-share.ts";
import { DRAIN_MS_MAX, destinationOf, productionFoundations, startServing } from "./serve-surroundings.ts";
import type { Terminal } from "./terminal.ts";
import type { FromWorker, ToWorker } from "./worker-message.ts";

/**
 * One of several processes that serve. It ends when it is told to, or by a SIGTERM of its own; SIGINT, which a terminal sends to
 * all of them, is its primary's affair.
 */
export async function serveAsWorker(terminal: Terminal, config: Config): Promise<number> {
  const log = createLog(config.logLevel, await destinationOf(config, terminal));
  const ending = Promise.withResolvers<number>();
  let draining = false;
  const drain = () => {
    draining = true;
    ending.resolve(0);
  };
  terminal.onSignal(["SIGTERM"], () => (draining ? terminal.exit(1) : drain()));
  terminal.onSignal(["SIGINT"], () => {});
  const begin = Promise.withResolvers<Extract<ToWorker, { kind: "begin" }>>();
  let report = async () => ({ unready: ["starting"] as readonly string[], metrics: [] as never });
  process.on("message", (message: ToWorker) => {
    if (message.kind === "begin") begin.resolve(message);
    if (message.kind === "drain") drain();
    if (message.kind === "report")
      void report().then((found) => tell({ kind: "report", question: message.question, ...found }));
  });
  tell({ kind: "here" });
  const { slot, databaseUrl } = await begin.promise;
  const foundations = await foundationsOf(config, databaseUrl);
  const keyturn = await startServing(shareOf(config, slot), foundations, log);
  report = keyturn.report as typeof report;
  tell({ kind: "listening", grpc: keyturn.addresses.grpc, http: keyturn.addresses.http });
  void keyturn.unfit.then(() => ending.resolve(1));
  const exitCode = await ending.promise;
  await keyturn.stop(DRAIN_MS_MAX);
  return exitCode;
}

async function foundationsOf(config: Config, databaseUrl: string | undefined) {
  if (config.production || databaseUrl === undefined) return productionFoundations(config);
  return (await import("../dev/development.ts")).joinDevelopment(config, databaseUrl);
}

/** Whoever has started it may have gone: then it ends anyway. */
const tell = (message: FromWorker) => void process.send?.(message, undefined, undefined, () => {});
