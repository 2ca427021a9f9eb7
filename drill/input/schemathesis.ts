import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { skipWithout, toolNamed } from "../../test/deploy/tool.ts";
import { rest } from "../../test/support/clients.ts";
import { closedSchemas } from "../../test/support/openapi.ts";
import type { Broken, Drill } from "../support/drill.ts";
import { defectsIn } from "../support/telling.ts";
import { givenWorld, type World } from "../support/world.ts";

/** For each operation and phase, beside what the document's own bounds make it try. */
const EXAMPLES = { quick: 10, full: 200 };
const SEED = "7";
const CHECKS = [
  "not_a_server_error",
  "status_code_conformance",
  "content_type_conformance",
  "response_headers_conformance",
  "response_schema_conformance",
];
const ACCOUNTS = "/v1/regions/global/iam/service-accounts";

export const drill: Drill = {
  title: "schemathesis makes requests from /openapi.json and holds every answer against it",
  invariants: ["standing", "documented"],
  bugs: [
    {
      name: "a mask of what is no field is a defect",
      breaks: "standing",
      file: "src/rpc/update-mask.ts",
      from: 'throw invalidArgument({ field: "update_mask", ',
      to: "throw new TypeError({ ",
    },
    {
      name: "an answer has a member that the document has not",
      breaks: "documented",
      file: "src/door/rest-json.ts",
      from: "  return edgeJson(desc, toJson(desc, message) as JsonObject);",
      to: "  return { ...edgeJson(desc, toJson(desc, message) as JsonObject), kind: desc.name };",
    },
  ],
  skip: () => skipWithout("schemathesis") || undefined,
  async run(run) {
    const folder = mkdtempSync(join(tmpdir(), "keyturn-schemathesis-"));
    try {
      await using world = await givenWorld(run);
      const server = await world.serve({ KEYTURN_API_REFERENCE: "on" });
      const httpUrl = `http://${server.addresses.http}`;
      const document = await (await fetch(`${httpUrl}/openapi.json`)).text();
      writeFileSync(join(folder, "openapi.json"), judgeable(document));
      writeFileSync(join(folder, "schemathesis.toml"), await settings(world, httpUrl));
      const report = await schemathesis(folder, httpUrl, run.quick ? EXAMPLES.quick : EXAMPLES.full);
      const defects = defectsIn(server.output()).slice(0, 5);
      const accepted = Object.values(report.valid_rates).filter((phases) =>
        Object.values(phases).some(({ accepted }) => accepted > 0),
      );
      return {
        did: `${report.test_cases.generated} requests of ${report.operations.total} operations, seed ${SEED}`,
        broken: [
          ...brokenBy(report),
          ...defects.map((line): Broken => ({ invariant: "standing", sentence: line.slice(0, 300) })),
        ],
        figures: `accepted by ${accepted.length} operations`,
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/**
 * The document as this tool can judge by it. Messages have no members but their own, as in `test/door/openapi.test.ts`. And
 * there is no `prefixItems`: of an answer's schema the tool makes the older `items: […]` out of it, and then says that this
 * is no schema. So that an ErrorInfo comes first is judged there, and here that whatever comes is one of those messages.
 */
function judgeable(text: string): string {
  const document = JSON.parse(text);
  const { schemas } = document.components;
  return JSON.stringify(
    { ...document, components: { ...document.components, schemas: closedSchemas(schemas) } },
    (_, value) => {
      if (value?.prefixItems === undefined) return value;
      const { prefixItems, items, ...more } = value;
      return {
        ...more,
        items: items === undefined ? { allOf: prefixItems } : { anyOf: [...prefixItems, items] },
      };
    },
  );
}

/** A caller who may do everything, and names of what is there, so that more than 404 is heard. */
async function settings(world: World, httpUrl: string): Promise<string> {
  const token = await world.token();
  const accounts = await world.accounts(2);
  const created = await Promise.all(
    accounts.map((account) =>
      rest({ httpUrl }, `${ACCOUNTS}/${account}/credentials`, { method: "POST", token }),
    ),
  );
  const credentials = created.map(({ body }): string => body.id);
  // Texts of JSON are texts of TOML.
  const dictionary = (name: string, values: readonly string[]) =>
    `dictionaries.${name}.values = ${JSON.stringify(values)}`;
  const mostly = (name: string) => `{ dictionary = "${name}", probability = 0.8 }`;
  return [
    `auth.openapi.bearerAuth.bearer = "${token}"`,
    dictionary("accounts", accounts),
    dictionary("credentials", credentials),
    `parameters."path.serviceAccountId" = ${mostly("accounts")}`,
    "[[operations]]",
    'include-path-regex = "/credentials/[{]id[}]"',
    `parameters."path.id" = ${mostly("credentials")}`,
  ].join("\n");
}

interface Failure {
  readonly type: string;
  readonly title: string;
  readonly operations: readonly string[];
}

interface Report {
  readonly complete: boolean;
  readonly operations: { readonly total: number; readonly tested: number };
  readonly test_cases: { readonly generated: number };
  readonly failures: readonly Failure[];
  /** Of the tool itself, such as a schema that it does not understand. */
  readonly errors: readonly unknown[];
  /** By operation and phase. */
  readonly valid_rates: Readonly<Record<string, Readonly<Record<string, { readonly accepted: number }>>>>;
  /** What it has printed of the failures. */
  readonly said: string;
}

function brokenBy({ complete, operations, failures, errors, said }: Report): Broken[] {
  const { tested, total } = operations;
  return [
    ...failures.map(
      ({ type, title, operations }): Broken => ({
        invariant: type === "ServerError" ? "standing" : "documented",
        sentence: `seed ${SEED}: ${title}: ${operations.join(", ")}: ${said}`.slice(0, 1_500),
      }),
    ),
    ...errors.map((error): Broken => ({ invariant: "documented", sentence: JSON.stringify(error) })),
    ...(complete && tested === total
      ? []
      : [{ invariant: "standing", sentence: `${tested} of ${total} operations were tried` } as const]),
  ];
}

/** Runs in the folder, which has its document and its settings. */
async function schemathesis(folder: string, url: string, examples: number): Promise<Report> {
  const args = ["run", "openapi.json", "--url", url, "--checks", CHECKS.join(","), "--seed", SEED];
  const bounds = ["--max-examples", String(examples), "--no-shrink", "--generation-database", "none"];
  const path = join(folder, "report.json");
  const output = await new Promise<string>((resolve) => {
    execFile(
      toolNamed("schemathesis") as string,
      [...args, ...bounds, "--report-json-path", path],
      { cwd: folder, maxBuffer: 1e8 },
      (_, out, err) => resolve(out + err),
    );
  });
  try {
    const said = output.slice(output.search(/=+ FAILURES =+/)).replace(/\s+/g, " ");
    return { ...JSON.parse(readFileSync(path, "utf8")), said };
  } catch (err) {
    throw new Error(`schemathesis has left no report: ${output}`, { cause: err });
  }
}
