import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { World } from "./world.ts";

export type ForgerTask = { readonly address: string } & (
  | { readonly token: string }
  | { readonly tokens: readonly string[] }
);
export interface SecretsSent {
  readonly answers: number;
  readonly failures: number;
}
export interface TokensSent {
  readonly accepted: readonly string[];
}

/** Callers who forge, in a thread of their own: those who behave must not wait for what it takes to make the forgeries. */
export interface Forgers {
  /** Sends at least so many forged secrets, of random ids from random sources. Resolves to how many there were. */
  secrets(count: number): Promise<number>;
  /** Asks once with each bearer token. Resolves to those that were taken. */
  tokens(tokens: readonly string[]): Promise<readonly string[]>;
}

export function startForgers(world: World, address: string): Forgers {
  const thread = new Worker(new URL("./forger-thread.ts", import.meta.url));
  world.later(() => thread.terminate());
  const ask = async <Result>(task: ForgerTask): Promise<Result> => {
    thread.postMessage(task);
    const [result] = await once(thread, "message");
    return result as Result;
  };
  return {
    async secrets(count) {
      let sent = 0;
      while (sent < count) {
        const { answers, failures } = await ask<SecretsSent>({ address, token: await world.token() });
        if (failures > answers / 10)
          throw new Error(`${failures} of ${answers} forged secrets got no answer`);
        sent += answers;
      }
      return sent;
    },
    tokens: async (tokens) => (await ask<TokensSent>({ address, tokens })).accepted,
  };
}
