import { randomBytes } from "node:crypto";
import type postgres from "postgres";
import type { CallContext, GrantableRoles } from "../../src/domain/call-context.ts";
import {
  boundsRow,
  claimRow,
  newCredentialRow,
  type ReplayClaim,
} from "../../src/storage/credential-arguments.ts";
import { callerRow, type Fragment } from "../../src/storage/mutation.ts";
import type { Facts } from "../../src/storage/refusal.ts";

/** The arguments of a mutation function that a test may care about, whichever it is. */
export interface CallerCall {
  readonly issuer: string;
  readonly subject: string;
  readonly grantableRoles: GrantableRoles;
  readonly clientAddress: string | null;
  readonly requestId: string;
  readonly budgetMs: number;
  readonly validateOnly: boolean;
}

/** The server's bounds. */
export interface BoundsCall {
  readonly defaultSeconds: number;
  readonly minSeconds: number;
  readonly maxSeconds: number;
  readonly activeMax: number;
}

/** The arguments of `keyturn.create_credential` that a test may care about. */
export interface CreateCall extends CallerCall, BoundsCall {
  readonly credentialId: string;
  readonly secretHash: string;
  readonly expiresAt: Date | string | null;
  readonly notBefore: Date | string | null;
  readonly claim: ReplayClaim | undefined;
}

/** The facts of an outcome, each by its name; null where the function said nothing of it. */
export interface CreateRow {
  readonly outcome: string;
  readonly facts: Facts;
  readonly uid: string | null;
  readonly created_at: Date | null;
  readonly expires_at: Date | null;
  readonly bound: Date | null;
  readonly bound_seconds: number | null;
  readonly limit: number | null;
  readonly active_count: number | null;
  readonly safest_to_delete: string | null;
}

export interface OutcomeRow {
  readonly outcome: string;
  readonly facts: Facts;
}

export interface Account {
  readonly organizationId: string;
  readonly id: string;
}

export const DAY_SECONDS = 86_400;

/** Calls the function by the server's own statement, with the server's standard policy unless told otherwise. */
export async function callCreate(
  sql: postgres.Sql,
  account: Account,
  call: Partial<CreateCall> = {},
): Promise<CreateRow> {
  const { outcome, facts } = await outcomeOf(
    sql,
    sql`keyturn.create_credential(
      ${callerOf(sql, account, call)}, ${boundsOf(sql, call)}, ${account.id}, ${newOf(sql, call)},
      ${claimRow(sql, call.claim)})`,
  );
  const instant = (text: string | undefined) => (text === undefined ? null : new Date(text));
  return {
    outcome,
    facts,
    uid: facts["credential"]?.uid ?? null,
    created_at: instant(facts["credential"]?.created_at),
    expires_at: instant(facts["credential"]?.expires_at),
    bound: instant(facts["bound"]),
    bound_seconds: facts["bound_seconds"] ?? null,
    limit: facts["limit"] ?? null,
    active_count: facts["active_count"] ?? null,
    safest_to_delete: facts["safest_to_delete"] ?? null,
  };
}

/** What a mutation function says, called as the server calls it. */
export async function outcomeOf(sql: postgres.Sql, call: Fragment): Promise<OutcomeRow> {
  const [row] = await sql<{ outcome: string; facts: Facts | null }[]>`select outcome, facts from ${call}`;
  if (row === undefined) throw new Error("the function returned no row");
  return { outcome: row.outcome, facts: row.facts ?? {} };
}

/** The caller: an administrator of the account's organization with time to spare, unless told otherwise. */
export function callerOf(
  sql: postgres.Sql,
  { organizationId }: Pick<Account, "organizationId">,
  call: Partial<CallerCall> = {},
): Fragment {
  const { issuer = "https://issuer.example", subject = "user-admin-001", requestId = "request-1" } = call;
  const budgetMs = call.budgetMs ?? 10_000;
  const ctx: CallContext = {
    caller: { organizationId, issuer, subject, roles: [], expiresAtMs: Number.MAX_SAFE_INTEGER },
    grantableRoles: call.grantableRoles ?? "all",
    reach: "organization",
    clientAddress: call.clientAddress ?? undefined,
    requestId,
    budgetMs: () => budgetMs,
    signal: new AbortController().signal,
  };
  return callerRow(sql, ctx, budgetMs, call.validateOnly ?? false);
}

export const boundsOf = (sql: postgres.Sql, call: Partial<BoundsCall> = {}): Fragment =>
  boundsRow(sql, {
    defaultLifetimeSeconds: call.defaultSeconds ?? 90 * DAY_SECONDS,
    minLifetimeSeconds: call.minSeconds ?? 60,
    maxLifetimeSeconds: call.maxSeconds ?? 365 * DAY_SECONDS,
    activeCredentialsMax: call.activeMax ?? 5,
  });

/** A new credential; of a dry run's there is no id and no hash. */
export function newOf(sql: postgres.Sql, call: Partial<CreateCall> = {}): Fragment {
  const { credentialId = freshCredentialId(), secretHash = "no-hash", validateOnly = false } = call;
  return newCredentialRow(sql, {
    serviceAccountId: "",
    stored: validateOnly ? undefined : { credentialId, secretHash, hint: "hint" },
    expiresAt: dateOf(call.expiresAt),
    notBefore: dateOf(call.notBefore),
    claim: undefined,
    validateOnly,
  });
}

const dateOf = (instant: Date | string | null | undefined): Date | undefined =>
  instant === undefined || instant === null ? undefined : new Date(instant);

export const freshCredentialId = (): string => `cred-${randomBytes(10).toString("hex")}`;
