import type postgres from "postgres";
import type { World } from "./matrix-callers.ts";
import type { Cell } from "./matrix-cells.ts";
import type { Row } from "./matrix-row.ts";
import type { Verdict } from "./matrix-verdicts.ts";

interface Table {
  readonly name: string;
  /** The column that says whose a row is. */
  readonly key: string;
}

let tables: readonly Table[] | undefined;

/** Every row of these organizations in every table but those of the trail, as text. */
export async function stored(sql: postgres.Sql, organizationIds: readonly string[]): Promise<string[]> {
  tables ??= await sql<Table[]>`
    select table_name as name, column_name as key from information_schema.columns
     where table_schema = 'keyturn' and table_name not like 'audit%'
       and (column_name = 'organization_id' or (table_name, column_name) = ('organizations', 'id'))`;
  const selects = tables.map(
    ({ name, key }) =>
      `select '${name} ' || to_jsonb(t)::text as row from keyturn.${name} t where t.${key} = any ($1)`,
  );
  const rows = await sql.unsafe<{ row: string }[]>(`${selects.join(" union all ")} order by 1`, [
    [...organizationIds],
  ]);
  return rows.map(({ row }) => row);
}

interface TrailRow {
  readonly organization: string;
  readonly subject: string;
  readonly requestId: string;
  readonly action: string;
  readonly outcome: string;
  readonly account: string | null;
}

/** The whole trail of the world. */
export async function trailOf(sql: postgres.Sql, { organizationIds }: World): Promise<TrailRow[]> {
  const rows = await sql<TrailRow[]>`
    select organization_id as organization, actor_subject as subject, request_id as "requestId", action, outcome,
           service_account_id as account
      from keyturn.audit_events where organization_id = any (${[...organizationIds]})`;
  return inOrder(rows.map((row) => ({ ...row })));
}

/** The trail that these calls must have left: a row for each that belongs there, and no more. */
export function trailExpected(
  cells: readonly Cell[],
  { action, trail }: Row,
  { callers }: World,
): TrailRow[] {
  const recorded = cells.filter(
    ({ caller, verdict }) => caller !== "anonymous" && belongsInTrail(trail, verdict),
  );
  return inOrder(
    recorded.map((cell) => {
      const { subject, home } = callers[cell.caller];
      const { requestId, verdict } = cell;
      const { outcome } = verdict;
      return {
        organization: home.organizationId,
        subject,
        requestId,
        action,
        outcome,
        account: accountOf(cell),
      };
    }),
  );
}

function belongsInTrail(trail: Row["trail"], { code, outcome }: Verdict): boolean {
  switch (trail) {
    case "everything":
      return true;
    case "refusals":
      return code !== 0;
    case "denials":
      return outcome === "permission_denied";
  }
}

/** The account that the trail names: none while nobody looked at the message, or could read the name. */
function accountOf({ init, verdict }: Cell): string | null {
  if (["permission_denied", "invalid_argument"].includes(verdict.outcome)) return null;
  const { serviceAccountId, id } = init as { readonly serviceAccountId?: string; readonly id?: string };
  return serviceAccountId ?? id ?? null;
}

export const inOrder = (rows: TrailRow[]): TrailRow[] =>
  rows.sort((a, b) => (a.requestId < b.requestId ? -1 : 1));
