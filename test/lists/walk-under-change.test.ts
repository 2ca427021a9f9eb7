import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Administrator, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { givenTwoServers, type TwoServers } from "../support/two-servers.ts";
import { credentialsOf, idsOf, type PagedList, pagesOf, SERVICE_ACCOUNTS } from "./walk.ts";

const WRITERS = 4;
/** At least, and until so many were created meanwhile. */
const WALKS = 20;
const CREATED = 200;
/** Each writer has no more than so many of its own at a time. */
const KEPT = 15;

let two: TwoServers;
before(async () => {
  two = await givenTwoServers(WRITERS, { KEYTURN_ACTIVE_CREDENTIALS_MAX: "100" });
});
after(() => two.stop());

/** The same person at both servers: one to read from, one to write to. */
async function givenReaderAndWriter(): Promise<[Administrator, Administrator]> {
  const [first, second] = two.servers;
  const reader = await givenAdministrator(first);
  return [reader, await givenAdministrator(second, { organizationId: reader.organizationId })];
}

/** From when to when something is in a list for certain, by the clock of the test. */
interface Life {
  readonly from: number;
  until: number;
}

/** Creates and deletes as fast as it can, and keeps the books. */
interface Churn {
  readonly lives: ReadonlyMap<string, Life>;
  stop(): Promise<void>;
}

function startChurn(create: () => Promise<string>, remove: (id: string) => Promise<unknown>): Churn {
  const lives = new Map<string, Life>();
  let stopped = false;
  const work = async () => {
    const kept: string[] = [];
    while (!stopped) {
      const id = await create();
      lives.set(id, { from: performance.now(), until: Number.POSITIVE_INFINITY });
      kept.push(id);
      // Now the oldest of its own, now the newest, so that it is behind every place where a reader may stand.
      const doomed = kept.length > KEPT ? (lives.size % 2 === 0 ? kept.shift() : kept.pop()) : undefined;
      const life = lives.get(doomed ?? "");
      if (doomed === undefined || life === undefined) continue;
      life.until = performance.now();
      await remove(doomed);
    }
  };
  const writers = Promise.all(Array.from({ length: WRITERS }, work));
  return {
    lives,
    async stop() {
      stopped = true;
      await writers;
    },
  };
}

async function assertWalksAreWhole(admin: Administrator, list: PagedList, churn: Churn): Promise<void> {
  for (let walk = 0; walk < WALKS || churn.lives.size < CREATED; walk += 1) {
    const begun = performance.now();
    const items = [];
    for await (const page of pagesOf(admin, list, { pageSize: 1 + (walk % 9) })) items.push(...page);
    const ended = performance.now();
    const ids = idsOf(items);
    const shown = new Set(ids);
    assert.equal(shown.size, ids.length, "something was shown twice");
    const there = [...churn.lives].filter(([, { from, until }]) => from < begun && until > ended);
    assert.deepEqual(
      there.map(([id]) => id).filter((id) => !shown.has(id)),
      [],
      "something that was there the whole time was skipped",
    );
    const instants = items.map(({ createdAt }) => Date.parse(createdAt));
    assert.deepEqual(
      instants,
      instants.toSorted((a, b) => a - b),
      "not in the order of creation",
    );
  }
}

test("walks over credentials skip and repeat none while four writers create and delete at full speed", async (t) => {
  const [reader, writer] = await givenReaderAndWriter();
  bodyOf(await writer.post("/service-accounts", { id: "sa-busy", displayName: "Busy" }), 201);
  const list = credentialsOf("sa-busy");
  const churn = startChurn(
    async () => bodyOf(await writer.post(list.path), 201).id,
    async (id) => bodyOf(await writer.delete(`${list.path}/${id}`), 204),
  );
  await assertWalksAreWhole(reader, list, churn).finally(() => churn.stop());
  t.diagnostic(`${churn.lives.size} were created meanwhile`);
});

test("walks over service accounts skip and repeat none while four writers create and delete at full speed", async (t) => {
  const [reader, writer] = await givenReaderAndWriter();
  let count = 0;
  const churn = startChurn(
    async () => {
      count += 1;
      const account = { id: `sa-${count % 2 === 0 ? "z" : "a"}-${count}`, displayName: "Account" };
      return bodyOf(await writer.post("/service-accounts", account), 201).id;
    },
    async (id) => bodyOf(await writer.delete(`/service-accounts/${id}`), 204),
  );
  await assertWalksAreWhole(reader, SERVICE_ACCOUNTS, churn).finally(() => churn.stop());
  t.diagnostic(`${churn.lives.size} were created meanwhile`);
});
