import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Administrator, bodyOf, givenAdministrator } from "../support/administrator.ts";
import { givenTwoServers, type TwoServers } from "../support/two-servers.ts";
import { appendSlowly } from "./slow-writer.ts";
import { AUDIT_EVENTS, credentialsOf, type Item, pagesOf } from "./walk.ts";

const WRITERS = 4;
/** At least, and until so many events were written meanwhile. */
const WALKS = 15;
const WRITTEN = 200;

let two: TwoServers;
before(async () => {
  two = await givenTwoServers(WRITERS);
});
after(() => two.stop());

/** When each event was asked for and when it was there for certain, by the clock of the test and the request's id. */
interface Books {
  readonly sent: Map<string, number>;
  readonly answered: Map<string, number>;
}

interface Writing {
  readonly books: Books;
  stop(): Promise<void>;
}

/** Writes events as fast as it can, some of them in transactions that commit long after they have written. */
function startWriting(writer: Administrator): Writing {
  const books: Books = { sent: new Map(), answered: new Map() };
  let stopped = false;
  const note = async (name: string, write: (headers: Record<string, string>) => Promise<void>) => {
    books.sent.set(name, performance.now());
    await write({ "x-request-id": name });
    books.answered.set(name, performance.now());
  };
  const writeQuickly = async (number: number) => {
    const { path } = credentialsOf(`sa-${number}`);
    bodyOf(await writer.post("/service-accounts", { id: `sa-${number}`, displayName: "Account" }), 201);
    for (let count = 0; !stopped; count += 1) {
      await note(`quick-${number}-${count}`, async (headers) => {
        const { id } = bodyOf(await writer.post(path, {}, headers), 201);
        bodyOf(await writer.delete(`${path}/${id}`), 204);
      });
    }
  };
  const writeSlowly = async () => {
    for (let count = 0; !stopped; count += 1) {
      await note(`slow-${count}`, async () => {
        const slow = await appendSlowly(two.db, writer.organizationId, `slow-${count}`);
        const seen = books.answered.size;
        while (!stopped && books.answered.size < seen + 10) await new Promise(setImmediate);
        await slow.commit();
      });
    }
  };
  const writers = Promise.all([...Array.from({ length: WRITERS }, (_, i) => writeQuickly(i)), writeSlowly()]);
  return {
    books,
    async stop() {
      stopped = true;
      await writers;
    },
  };
}

/** What was there before the walk is shown once, and nothing that was asked for after its first page. */
async function assertWalkIsWhole(
  reader: Administrator,
  query: { readonly orderBy: string; readonly pageSize: number },
  { sent, answered }: Books,
): Promise<void> {
  const there = [...answered.keys()];
  const pages = pagesOf(reader, AUDIT_EVENTS, query);
  const events: Item[] = (await pages.next()).value;
  const firstPageAt = performance.now();
  for await (const page of pages) events.push(...page);

  const places = events.map(({ serviceAccountUid, sequence }) => `${serviceAccountUid} ${sequence}`);
  assert.equal(new Set(places).size, places.length, "an event was shown twice");
  const names = new Set<string>(events.map(({ requestId }) => requestId));
  const skipped = there.filter((name) => !names.has(name));
  assert.deepEqual(skipped, [], "an event was skipped");
  const early = [...names].filter((name) => (sent.get(name) ?? 0) > firstPageAt);
  assert.deepEqual(early, [], "an event was shown that was not there when the walk began");
}

for (const orderBy of ["occurred_at", "occurred_at desc"]) {
  test(`walks by ${orderBy} show the trail as it was when they began, while four writers write and one commits late`, async (t) => {
    const [first, second] = two.servers;
    const reader = await givenAdministrator(first);
    const writing = startWriting(await givenAdministrator(second, { organizationId: reader.organizationId }));
    const { books } = writing;
    try {
      for (let walked = 0; walked < WALKS || books.answered.size < WRITTEN; walked += 1) {
        await assertWalkIsWhole(reader, { orderBy, pageSize: 20 + walked }, books);
      }
    } finally {
      await writing.stop();
    }
    t.diagnostic(`${books.answered.size} events were written meanwhile`);
  });
}
