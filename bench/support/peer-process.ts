/** Peers that are programs of other languages, and are told by their own API whom they mint for. */
import { setTimeout as delay } from "node:timers/promises";
import type { Measured } from "./measured.ts";
import type { Client } from "./tokens.ts";

/** Where `bench/peers/install` puts them. */
export const TOOLS = "bench/peers/.tools";

export const givenClients = (count: number): readonly Client[] =>
  Array.from({ length: count }, (_, index) => ({
    id: `client-${index}`,
    secret: `secret-of-client-${index}-0123456789012345678901234567890`,
  }));

/** Resolves once it answers there with success. @throws Error when it ends before */
export async function untilItAnswers(peer: Measured, url: string): Promise<void> {
  const isReady = () =>
    fetch(url).then(
      ({ ok }) => ok,
      () => false,
    );
  const hasEnded = peer.exited.then((code) => {
    throw new Error(`${url}: its process ended with ${code}`);
  });
  while (!(await Promise.race([isReady(), hasEnded]))) await delay(200);
}

/** @throws Error with the answer when it is a refusal */
export async function postJson(url: string, body: object, headers: Readonly<Record<string, string>> = {}) {
  const res = await fetch(url, {
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!res.ok) throw new Error(`${url}: ${res.status} ${await res.text()}`);
  await res.body?.cancel();
}
