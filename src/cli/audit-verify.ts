import { ORGANIZATION_CHAIN, REFUSED_CALLS_CHAIN } from "../domain/audit-event.ts";
import type { AuditScope } from "../storage/audit-pages.ts";
import { chainsOfServiceAccount, verifyAuditTrail } from "../storage/audit-verification.ts";
import type { AuditFinding, ChainProblem } from "../storage/chain-check.ts";
import type { Database } from "../storage/database.ts";
import { withDatabase } from "./command-database.ts";
import { EXIT } from "./exit-code.ts";
import type { Terminal } from "./terminal.ts";

export interface AuditVerifyOptions {
  readonly org?: string;
  /** Id, or UUID, of an account of that organization. */
  readonly serviceAccount?: string;
}

const FINDINGS_SHOWN_MAX = 100;
const PROGRESS_ROWS = 100_000;

/** Says of every row that is not as it was written which it is, and gives the exit code. */
export async function runAuditVerify(terminal: Terminal, options: AuditVerifyOptions): Promise<number> {
  if (options.serviceAccount !== undefined && options.org === undefined) {
    terminal.err("keyturn: --service-account needs --org as well\n");
    return EXIT.unknown;
  }
  return withDatabase(terminal, async (db) => {
    const total = { rows: 0, chains: 0, findings: 0 };
    for (const scope of await scopesOf(db, options)) {
      const before = { ...total };
      const verified = await verifyAuditTrail(db, scope, {
        onFinding: (finding) => {
          total.findings += 1;
          if (total.findings <= FINDINGS_SHOWN_MAX) terminal.out(`${findingLine(finding)}\n`);
        },
        onRows: (rows) => {
          const read = before.rows + rows;
          if (crosses(total.rows, read)) terminal.err(`${read} rows so far\n`);
          total.rows = read;
        },
      });
      total.chains += verified.chains;
    }
    return concluded(terminal, options, total);
  });
}

async function scopesOf(
  db: Database,
  { org: organizationId, serviceAccount }: AuditVerifyOptions,
): Promise<AuditScope[]> {
  if (organizationId === undefined) return [{}];
  if (serviceAccount === undefined) return [{ organizationId }];
  const uids = await chainsOfServiceAccount(db, organizationId, serviceAccount);
  return uids.map((serviceAccountUid) => ({ organizationId, serviceAccountUid }));
}

const crosses = (before: number, after: number) =>
  Math.floor(before / PROGRESS_ROWS) < Math.floor(after / PROGRESS_ROWS);

/** What was asked for by name and is not there is no answer: it may be a name that was mistyped. */
function concluded(
  terminal: Terminal,
  options: AuditVerifyOptions,
  { rows, chains, findings }: { readonly rows: number; readonly chains: number; readonly findings: number },
): number {
  if (findings > FINDINGS_SHOWN_MAX)
    terminal.out(`… and ${findings - FINDINGS_SHOWN_MAX} more that are not shown\n`);
  if (findings > 0) {
    terminal.out(`NOT INTACT. Faults: ${findings}, rows: ${rows}, chains: ${chains}.\n`);
    return EXIT.no;
  }
  if (rows === 0 && options.org !== undefined) {
    terminal.err("keyturn: the trail has nothing of that name\n");
    return EXIT.unknown;
  }
  terminal.out(`Intact. Rows: ${rows}, chains: ${chains}.\n`);
  return EXIT.yes;
}

function findingLine({ organizationId, serviceAccountUid, sequence, problem }: AuditFinding): string {
  const chain = CHAIN_NAMES[serviceAccountUid] ?? `service account ${serviceAccountUid}`;
  return `organization ${printable(organizationId)}, ${chain}, row ${sequence}: ${wordsOf(problem, sequence)}`;
}

const CHAIN_NAMES: Readonly<Record<string, string>> = {
  [ORGANIZATION_CHAIN]: "its own chain",
  [REFUSED_CALLS_CHAIN]: "its refused calls",
};

/** Whoever can write into the table must not write into the terminal. */
const printable = (id: string) => (/^[\w.:@/-]+$/.test(id) ? id : JSON.stringify(id));

function wordsOf(problem: ChainProblem, sequence: bigint): string {
  switch (problem.kind) {
    case "row_changed":
      return "changed since it was written";
    case "row_out_of_order":
      return "was not written after the row before it";
    case "rows_missing":
      return `missing before it: ${range(problem.first, sequence - 1n)}`;
    case "row_before_first":
      return "stands before the first place of a chain";
    case "head_missing":
      return "the chain that ends here has no head";
    case "head_ahead":
      return `missing behind it: ${range(sequence + 1n, problem.head)}`;
    case "head_behind":
      return `put in behind the head of the chain, which is at row ${problem.head}`;
    case "head_changed":
      return "the head of the chain has another hash than its last row";
    case "chain_emptied":
      return "missing, with all before it";
    case "chain_missing":
      return "the account has credentials, but no chain";
  }
}

const range = (first: bigint, last: bigint) => (first === last ? `row ${first}` : `rows ${first} to ${last}`);
