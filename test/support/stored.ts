import assert from "node:assert/strict";
import { restCreate } from "./clients.ts";
import type { TestKeyturn } from "./keyturn.ts";

/** How many credentials of an account are in the database, whatever their state. */
export async function storedCount(h: Pick<TestKeyturn, "db">, serviceAccountId: string): Promise<number> {
  const [row] = await h.db.sql<{ count: number }[]>`
    select count(*)::int from keyturn.credentials where service_account_id = ${serviceAccountId}`;
  return row?.count ?? -1;
}

export async function assertNothingStored(
  h: Pick<TestKeyturn, "db">,
  serviceAccountId: string,
): Promise<void> {
  assert.equal(await storedCount(h, serviceAccountId), 0);
}

/** The process still does its work: a good call on an account of its own succeeds. */
export async function assertAlive(h: TestKeyturn): Promise<void> {
  const { organizationId, id } = await h.givenAccount();
  const res = await restCreate(h, id, await h.token(organizationId));
  assert.equal(res.status, 201, res.text);
}

/** The value of a metric by its name and, if need be, labels: `keyturn_calls_total{door="rest"`. Sums what matches. */
export async function metric(h: Pick<TestKeyturn, "adminUrl">, start: string): Promise<number> {
  const text = await (await fetch(`${h.adminUrl}/metrics`)).text();
  const lines = text.split("\n").filter((line) => line.startsWith(start));
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
}

/** Waits until a reading of something that changes by itself is as wanted; the test's own time limit ends it. */
export async function eventually<T>(read: () => Promise<T> | T, isWanted: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await read();
    if (isWanted(value)) return value;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
