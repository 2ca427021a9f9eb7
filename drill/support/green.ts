import { setTimeout as delay } from "node:timers/promises";
import type { ServerProcess } from "../../test/support/process.ts";

/** Asks a server all the time whether it is alive and ready. */
export interface HealthCheck {
  /** What it said when it was not. */
  stop(): Promise<readonly string[]>;
}

const PAUSE_MS = 100;
const PROBE_MS_MAX = 10_000;

export function checkHealth({ addresses }: ServerProcess): HealthCheck {
  const bad = new Set<string>();
  let isStopping = false;
  const probing = (async () => {
    while (!isStopping) {
      for (const path of ["/livez", "/readyz"]) {
        const signal = AbortSignal.timeout(PROBE_MS_MAX);
        const answer = await fetch(`http://${addresses.admin}${path}`, { signal }).catch(
          (err: Error) => err.name,
        );
        const status = typeof answer === "string" ? answer : answer.status;
        if (typeof answer !== "string") await answer.text();
        if (status !== 200) bad.add(`${path} answers ${status}`);
      }
      await delay(PAUSE_MS);
    }
  })();
  return {
    async stop() {
      isStopping = true;
      await probing;
      return [...bad];
    },
  };
}
