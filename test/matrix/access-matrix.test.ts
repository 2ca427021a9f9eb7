import assert from "node:assert/strict";
import { globSync } from "node:fs";
import { after, before, test } from "node:test";
import { type DescMethodUnary, type DescService, hasOption } from "@bufbuild/protobuf";
import { http } from "../../gen/google/api/annotations_pb.ts";
import { type AnyAnswer, type AnyDoor, openAnyDoors } from "../support/any-rpc.ts";
import { DOORS } from "../support/doors.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { givenWorld, vanish, type World } from "./matrix-callers.ts";
import { type Cell, cellsOf, dryRunOf, isAllowed, malformedCellsOf, play } from "./matrix-cells.ts";
import { inOrder, stored, trailExpected, trailOf } from "./matrix-records.ts";
import type { Ask, Row, RowsOf } from "./matrix-row.ts";
import { ROWS } from "./matrix-rows.ts";
import { isBarred } from "./matrix-verdicts.ts";

const modules = await Promise.all(globSync("gen/keyturn/**/*_pb.ts").map((file) => import(`../../${file}`)));
const services = modules
  .flatMap((module) => Object.values(module as Record<string, { kind?: string }>))
  .filter((value) => value?.kind === "service") as unknown as DescService[];
const methods = services.flatMap((service) => service.methods) as DescMethodUnary[];

const rowOf = ({ parent, localName }: DescMethodUnary): Row =>
  (ROWS as unknown as Record<string, Record<string, Row>>)[parent.name]?.[localName] as Row;

const isMutation = ({ input }: DescMethodUnary) => input.fields.some(({ name }) => name === "validate_only");

/** What has no path of its own is not there at the REST edge. */
const isOffered = (door: AnyDoor["name"], method: DescMethodUnary) =>
  door !== "REST" || hasOption(method, http);

let h: TestKeyturn;
let doors: AnyDoor[] = [];
before(async () => {
  h = await givenKeyturn();
  doors = openAnyDoors(h);
});
after(async () => {
  for (const door of doors) door.close();
  await h.stop();
});

test("every RPC of the descriptors has a row, and there is no other row", () => {
  const named = Object.entries(ROWS).flatMap(([service, rows]) =>
    Object.keys(rows).map((rpc) => `${service}.${rpc}`),
  );
  assert.ok(methods.length > 10);
  assert.deepEqual(
    named.sort(),
    methods.map(({ parent, localName }) => `${parent.name}.${localName}`).sort(),
  );
});

test("an RPC without a row, and a row without an answer for a caller, do not compile", () => {
  const { getCredentialPolicy, updateCredentialPolicy } = ROWS.CredentialPolicyService;
  // @ts-expect-error the row of updateCredentialPolicy is missing
  const missing = { getCredentialPolicy } satisfies RowsOf<"CredentialPolicyService">;
  const all = { getCredentialPolicy, updateCredentialPolicy };
  // @ts-expect-error there is no such RPC
  const more = { ...all, setCredentialPolicy: {} } satisfies RowsOf<"CredentialPolicyService">;
  const { deletedAdministrator: _, ...callers } = getCredentialPolicy.asks[0].answers;
  // @ts-expect-error nobody says what the administrator of a deleted tenant is answered
  const silent = { request: () => ({}), answers: callers } satisfies Ask<object>;
  assert.ok(missing && more && silent);
});

test("a row names whatever its request can name, and a call that changes something can be tried first", () => {
  for (const method of methods) {
    const fields = method.input.fields.map(({ name }) => name);
    const ids = ["service_account_id", "id"].filter((name) => fields.includes(name));
    const targets = new Set(rowOf(method).asks.flatMap(({ answers }) => Object.keys(answers.administrator)));
    assert.equal(targets.size, [1, 3, 4][ids.length], method.name);
    assert.equal(rowOf(method).trail === "everything", isMutation(method), method.name);
  }
});

for (const [number, { name }] of DOORS.entries()) {
  for (const method of methods.filter((method) => isOffered(name, method))) {
    test(`${method.name} over ${name} answers every caller as its row says, and what it refuses changes nothing`, async () => {
      const world = await givenWorld(h);
      await playRow(doors[number] as AnyDoor, method, rowOf(method), world);
    });
  }
}

/**
 * What is refused comes first, then what is allowed; at the end all is asked again that was not found, once it is not
 * there for anybody: whose it was must have made no difference.
 */
async function playRow(door: AnyDoor, method: DescMethodUnary, row: Row, world: World): Promise<void> {
  const { sql } = h.db;
  const cells = cellsOf(method, row, world);
  const allowed = cells.filter(isAllowed);
  const refused = [...cells.filter((cell) => !isAllowed(cell)), ...malformedCellsOf(method, row, world)];
  const before = await stored(sql, world.organizationIds);
  const trailBefore = await trailOf(sql, world);

  const refusals = await playAll(door, refused, world);
  if (isMutation(method)) await playAll(door, allowed.map(dryRunOf), world);
  if (isMutation(method)) await playAgain(door, refusals, dryRunOf, world);
  assert.deepEqual(await stored(sql, world.organizationIds), before);
  assertBlind(refusals);

  for (const cell of allowed) await playAtHome(door, cell, world);
  const left = trailExpected([...refused, ...allowed], row, world);
  assert.deepEqual(await trailOf(sql, world), inOrder([...trailBefore, ...left]));

  await vanish(sql, world);
  await playAgain(door, refusals, (cell) => cell, world);
}

type Played = ReadonlyMap<Cell, AnyAnswer>;

/** The callers side by side, each of them one call after the other. */
async function playAll(door: AnyDoor, cells: readonly Cell[], world: World): Promise<Played> {
  const played = new Map<Cell, AnyAnswer>();
  const byCaller = Map.groupBy(cells, ({ caller }) => caller);
  await Promise.all(
    [...byCaller.values()].map(async (own) => {
      for (const cell of own) played.set(cell, await play(door, cell, world));
    }),
  );
  return played;
}

/** Asks again for what was not found, in this way: whoever it belongs to, the answer has the same bytes. */
async function playAgain(
  door: AnyDoor,
  played: Played,
  asIn: (cell: Cell) => Cell,
  world: World,
): Promise<void> {
  const unfound = [...played].filter(([{ verdict }]) => verdict.outcome === "not_found");
  for (const [cell, { wire }] of unfound) assert.equal((await play(door, asIn(cell), world)).wire, wire);
}

/** Who may not call gets the same bytes whatever he names, and however badly. */
function assertBlind(played: Played): void {
  const blind = [...played].filter(
    ([{ caller, verdict }]) => (caller === "anonymous" || caller === "member") && isBarred(verdict),
  );
  for (const [group, answers] of Map.groupBy(blind, ([cell]) => cell.group)) {
    assert.ok(answers.length > 1, group);
    assert.deepEqual([...new Set(answers.map(([, { wire }]) => wire))], [answers[0]?.[1].wire], group);
  }
}

/** A call that is allowed leaves every other organization as it was. */
async function playAtHome(door: AnyDoor, cell: Cell, world: World): Promise<void> {
  const { organizationId } = world.callers[cell.caller].home;
  const others = world.organizationIds.filter((id) => id !== organizationId);
  const before = await stored(h.db.sql, others);
  await play(door, cell, world);
  assert.deepEqual(await stored(h.db.sql, others), before);
}
