import assert from "node:assert/strict";
import postgres from "postgres";
import type { Database } from "../../src/storage/database.ts";
import { TEXT_ARRAY } from "../../src/storage/lane.ts";
import { SESSION_SETTINGS } from "../../src/storage/session-settings.ts";
import type { TestDatabase } from "../support/database.ts";

/** A node of a plan, as `EXPLAIN (FORMAT JSON)` writes it. */
interface PlanNode {
  readonly "Node Type": string;
  readonly "Relation Name"?: string;
  readonly "Index Name"?: string;
  readonly "Actual Rows": number;
  readonly "Actual Loops": number;
  readonly "Shared Hit Blocks": number;
  readonly "Shared Read Blocks": number;
  readonly Plans?: readonly PlanNode[];
}

/** What the database did for one read. */
export interface Explained {
  /** Names of the tables that were read from end to end. */
  readonly tablesScanned: readonly string[];
  readonly indexes: readonly string[];
  /** Most rows that any step sorted. */
  readonly rowsSorted: number;
  /** Shared buffers that were touched. */
  readonly buffers: number;
  /** The plan itself, for a failure's message. */
  readonly plan: string;
}

export interface Explainer {
  /**
   * Explains the one statement of a read, after the read has run so often that the server has settled on a plan for it:
   * the very prepared statement, with the parameters of the last run.
   */
  explain(read: (db: Database) => Promise<unknown>): Promise<Explained>;
  close(): Promise<void>;
}

/** Until the functions within are compiled and planned. */
const RUNS = 8;

interface Sent {
  readonly text: string;
  readonly parameters: readonly unknown[];
}

/** A connection like a server's, whose statements can be explained. */
export function openExplainer(db: Pick<TestDatabase, "serverUrl">): Explainer {
  let sent: Sent | undefined;
  const sql = postgres(db.serverUrl, {
    max: 1,
    prepare: true,
    fetch_types: false,
    types: { textArray: TEXT_ARRAY },
    onnotice: () => {},
    connection: SESSION_SETTINGS,
    debug: (_connection, text, parameters) => {
      sent = { text, parameters };
    },
  });
  const database: Database = {
    run: async (_signal, statement) => statement(sql),
    silenceMsMax: 60_000,
    stats: () => ({ connections: 1, inUse: 0, queued: 0, shed: 0 }),
    close: async () => {},
  };
  return {
    async explain(read) {
      for (let run = 0; run < RUNS; run += 1) await read(database);
      if (sent === undefined) throw new Error("the read sent no statement");
      const { text, parameters } = sent;
      const [prepared] = await sql<{ name: string }[]>`
        select name from pg_prepared_statements where statement = ${text}`;
      if (prepared === undefined) throw new Error("the read's statement was not prepared");
      const values = parameters.map(literal).join(", ");
      const [row] = await sql.unsafe(
        `explain (analyze, buffers, timing off, format json) execute "${prepared.name}"(${values})`,
      );
      return toExplained(row?.["QUERY PLAN"][0].Plan);
    },
    close: () => sql.end({ timeout: 1 }),
  };
}

function literal(value: unknown): string {
  if (value === null) return "null";
  const text = value instanceof Date ? value.toISOString() : String(value);
  return `'${text.replaceAll("'", "''")}'`;
}

function toExplained(root: PlanNode): Explained {
  const nodes = allNodes(root);
  return {
    tablesScanned: nodes
      .filter((node) => node["Node Type"] === "Seq Scan")
      .map((node) => node["Relation Name"] ?? ""),
    indexes: [...new Set(nodes.flatMap((node) => node["Index Name"] ?? []))].sort(),
    rowsSorted: Math.max(
      0,
      ...nodes.filter(isSort).map(({ Plans: [sorted] = [] }) => sorted?.["Actual Rows"] ?? 0),
    ),
    buffers: root["Shared Hit Blocks"] + root["Shared Read Blocks"],
    plan: JSON.stringify(root, undefined, 1),
  };
}

const isSort = (node: PlanNode): boolean => /Sort/.test(node["Node Type"]);

const allNodes = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(allNodes)];

/** Asserts that a page deep in a list is read as cheaply as the first, both in the order of an index. */
export function assertSameCost(first: Explained, deep: Explained): void {
  for (const page of [first, deep]) {
    assert.deepEqual(page.tablesScanned, [], page.plan);
    // The page itself is put in order again, never the list.
    assert.ok(page.rowsSorted <= 51, `sorts ${page.rowsSorted} rows ${page.plan}`);
  }
  assert.ok(
    deep.buffers <= 1.5 * first.buffers,
    `${first.buffers} buffers became ${deep.buffers} ${deep.plan}`,
  );
}
