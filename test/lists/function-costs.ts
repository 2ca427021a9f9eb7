/** Calls of the functions of the database as text, and what they cost. */
import type postgres from "postgres";

export const BOUNDS = "row(3600, 60, 7200, 100)::keyturn.policy_bounds";

export const newCredential = (id: string): string => `jsonb_populate_record(null::keyturn.new_credential,
  '${JSON.stringify({ id, secret_hash: "no-hash", hint: "hint" })}')`;

export function callerOf(organizationId: string, validateOnly = false): string {
  const said = { organization_id: organizationId, issuer: "test", subject: "test", request_id: "test" };
  const row = JSON.stringify({ ...said, budget_ms: 60_000, validate_only: validateOnly });
  return `jsonb_populate_record(null::keyturn.caller, '${row}')`;
}

/** Runs a function, and says how many shared buffers that touched. */
export async function buffersOf(session: postgres.Sql, call: string): Promise<number> {
  const [row] = await session.unsafe(
    `explain (analyze, buffers, timing off, format json) select keyturn.${call}`,
  );
  const { Plan: plan } = row?.["QUERY PLAN"][0] ?? {};
  return plan["Shared Hit Blocks"] + plan["Shared Read Blocks"];
}
