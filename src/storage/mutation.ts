import type postgres from "postgres";
import type { CallContext } from "../domain/call-context.ts";
import { type Fault, FaultError } from "../domain/fault.ts";
import { runOfCall } from "./call-statement.ts";
import type { Database } from "./database.ts";
import type { Sql } from "./lane.ts";
import { type Facts, refusalOf } from "./refusal.ts";

/** What became of a mutation: it is done, it had been done before, or it was refused and that was recorded. */
export type Outcome<Value> =
  | { readonly kind: "done" | "replayed"; readonly value: Value }
  | { readonly kind: "refused"; readonly fault: Fault };

/** What a mutation is about, for what is said when it cannot be found. */
export interface Subject {
  readonly ctx: CallContext;
  readonly serviceAccountId?: string;
  readonly validateOnly: boolean;
}

/** A piece of a statement. */
export type Fragment = postgres.PendingQuery<postgres.Row[]>;

interface OutcomeRow {
  readonly outcome: string;
  readonly facts: Facts | null;
}

/**
 * Calls one mutation function, which is one statement (docs/adr/0003), and reads its outcome. The functions of a service
 * account wait for one lock, so they share a group.
 * @param call gives the function with its arguments; the first of them is the caller that it is given.
 */
export async function mutate<Value>(
  db: Database,
  subject: Subject,
  call: (sql: Sql, caller: Fragment) => Fragment,
  toValue: (facts: Facts) => Value,
): Promise<Outcome<Value>> {
  const { ctx } = subject;
  // The statement is composed once it has a connection, which takes time off its budget.
  const writeUntil = performance.now() + ctx.budgetMs();
  const [row] = await runOfCall<OutcomeRow>(
    db,
    ctx.signal,
    (sql) => {
      const budgetMs = Math.max(0, Math.floor(writeUntil - performance.now()));
      const caller = callerRow(sql, ctx, budgetMs, subject.validateOnly);
      return sql`select outcome, facts from ${call(sql, caller)}`;
    },
    `${ctx.caller.organizationId}/${subject.serviceAccountId ?? ""}`,
  );
  if (row === undefined) throw new FaultError({ kind: "internal" });
  const facts = row.facts ?? {};
  if (row.outcome === "done" || row.outcome === "replayed")
    return { kind: row.outcome, value: toValue(facts) };
  return { kind: "refused", fault: refusalOf(row.outcome, facts, subject) };
}

/** The caller as the functions take it. */
export function callerRow(sql: Sql, ctx: CallContext, budgetMs: number, validateOnly: boolean): Fragment {
  const { caller, grantableRoles } = ctx;
  return sql`row(
    ${caller.organizationId}, ${caller.issuer}, ${caller.subject},
    ${grantableRoles === "all" ? null : [...grantableRoles]}, ${ctx.clientAddress ?? null}, ${ctx.requestId},
    ${budgetMs}, ${validateOnly})::keyturn.caller`;
}
