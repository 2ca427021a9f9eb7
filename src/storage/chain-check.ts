import { createHash } from "node:crypto";

/** Where a chain ends, by the database's own note of it. */
export interface ChainHead {
  readonly sequence: bigint;
  readonly hash: Buffer;
}

/** A row of the trail, and the head of its chain as it was when the row was read. */
export interface ChainedRow {
  readonly organizationId: string;
  readonly serviceAccountUid: string;
  readonly sequence: bigint;
  /** What the hash is over, besides the previous hash: all columns as JSON. */
  readonly content: string;
  readonly previousHash: Buffer;
  readonly hash: Buffer;
  readonly head: ChainHead | undefined;
}

/** What is wrong with a row, or with the chain that it is the last one of. */
export type ChainProblem =
  /** It is not what it was when it was hashed. */
  | { readonly kind: "row_changed" }
  /** It was not written after the row before it. */
  | { readonly kind: "row_out_of_order" }
  /** Rows from `first` up to the one before it. */
  | { readonly kind: "rows_missing"; readonly first: bigint }
  /** It stands before the place where a chain begins. */
  | { readonly kind: "row_before_first" }
  | { readonly kind: "head_missing" }
  /** The last rows are gone. */
  | { readonly kind: "head_ahead"; readonly head: bigint }
  /** Rows were put in behind the end. */
  | { readonly kind: "head_behind"; readonly head: bigint }
  | { readonly kind: "head_changed" }
  /** All rows are gone, but the head is there. */
  | { readonly kind: "chain_emptied" }
  /** Rows and head are gone, but the account has credentials, whose creation was recorded. */
  | { readonly kind: "chain_missing" };

export interface AuditFinding {
  readonly organizationId: string;
  readonly serviceAccountUid: string;
  readonly sequence: bigint;
  readonly problem: ChainProblem;
}

/** Judges the rows of any number of chains, one chain after the other, each by its sequence. */
export interface ChainCheck {
  next(row: ChainedRow): AuditFinding[];
  /** To be called behind the last row of all. */
  end(): AuditFinding[];
  chains(): number;
}

export function createChainCheck(): ChainCheck {
  let last: ChainedRow | undefined;
  let chains = 0;
  const end = () => (last === undefined ? [] : findings(last, headProblems(last)));
  return {
    next(row) {
      const continues = last !== undefined && isSameChain(last, row);
      const found = continues ? [] : end();
      if (!continues) chains += 1;
      found.push(...findings(row, rowProblems(row, continues ? last : undefined)));
      last = row;
      return found;
    },
    end,
    chains: () => chains,
  };
}

const isSameChain = (one: ChainedRow, other: ChainedRow) =>
  one.organizationId === other.organizationId && one.serviceAccountUid === other.serviceAccountUid;

const findings = (
  { organizationId, serviceAccountUid, sequence }: ChainedRow,
  problems: ChainProblem[],
): AuditFinding[] => problems.map((problem) => ({ organizationId, serviceAccountUid, sequence, problem }));

/** Behind a gap a row cannot follow the one before it, which need not be said twice. */
function rowProblems(row: ChainedRow, before: ChainedRow | undefined): ChainProblem[] {
  const problems: ChainProblem[] = [];
  const expected = (before?.sequence ?? 0n) + 1n;
  if (row.sequence > expected) problems.push({ kind: "rows_missing", first: expected < 1n ? 1n : expected });
  else if (row.sequence < 1n) problems.push({ kind: "row_before_first" });
  else if (!row.previousHash.equals(before?.hash ?? NOTHING)) problems.push({ kind: "row_out_of_order" });
  if (!row.hash.equals(hashOf(row))) problems.push({ kind: "row_changed" });
  return problems;
}

const NOTHING: Buffer = Buffer.alloc(0);

/** The formula of `functions/audit_event_hash.sql`, computed here so that a changed function cannot hide a changed row. */
const hashOf = (row: ChainedRow): Buffer =>
  createHash("sha256").update(row.previousHash).update(row.content, "utf8").digest();

function headProblems({ sequence, hash, head }: ChainedRow): ChainProblem[] {
  if (head === undefined) return [{ kind: "head_missing" }];
  if (head.sequence > sequence) return [{ kind: "head_ahead", head: head.sequence }];
  if (head.sequence < sequence) return [{ kind: "head_behind", head: head.sequence }];
  return head.hash.equals(hash) ? [] : [{ kind: "head_changed" }];
}
