import assert from "node:assert/strict";
import type postgres from "postgres";
import type { openAuditor } from "./auditor.ts";
import type { Call } from "./clients.ts";

/** What the tables hold, asked of them and not of the service, is what the model has: no more and no less. */
export async function assertAsStored(
  sql: postgres.Sql,
  tenant: string,
  accountIds: readonly string[],
  auditor: Pick<ReturnType<typeof openAuditor>, "lastOf">,
): Promise<void> {
  const stored = await sql<{ id: string; ids: string[]; tombstones: number }[]>`
    select a.id, coalesce(array_agg(c.id order by c.created_at) filter (where c.deleted_at is null and c.id is not null), '{}') as ids,
           count(c.deleted_at)::int as tombstones
      from keyturn.service_accounts a
      left join keyturn.credentials c on c.organization_id = a.organization_id and c.service_account_id = a.id
     where a.organization_id = ${tenant}
     group by a.id order by a.id`;
  const modelled = accountIds.flatMap((id) => {
    const { state } = auditor.lastOf(id);
    return state === undefined
      ? []
      : [{ id, ids: state.credentials.map((credential) => credential.id), tombstones: state.tombstones }];
  });
  assert.deepEqual(
    stored.map((row) => ({ ...row })),
    modelled.sort((a, b) => (a.id < b.id ? -1 : 1)),
  );
}

/** The trail that a caller can list, page by page, is the one that is stored, event for event. */
export async function assertTrailIsShown(
  sql: postgres.Sql,
  tenant: string,
  list: (req: object) => Promise<Call>,
): Promise<void> {
  const rows = await sql<{ name: string; outcome: string; sequence: string }[]>`
    select request_id as name, outcome, sequence from keyturn.audit_events where organization_id = ${tenant}
     order by occurred_at, service_account_uid, sequence`;
  const shown: unknown[] = [];
  let pageToken: string | undefined;
  do {
    const { body } = (await list({ pageSize: 500, ...(pageToken === undefined ? {} : { pageToken }) })).heard;
    for (const { requestId, outcome, sequence } of body.auditEvents)
      shown.push({ name: requestId, outcome, sequence });
    pageToken = body.nextPageToken;
  } while (pageToken !== undefined);
  assert.deepEqual(
    shown,
    rows.map((row) => ({ ...row })),
  );
}

/** Somebody who counts the live credentials of every account, all the time and from outside. */
export interface Poll {
  liveMax(): number;
  looks(): number;
  stop(): Promise<void>;
}

export function openPoll(sql: postgres.Sql, tenant: string): Poll {
  let liveMax = 0;
  let looks = 0;
  let isOver = false;
  const watching = (async () => {
    while (!isOver) {
      // The clock is read behind the snapshot: what is seen had begun by then.
      const [row] = await sql<{ live: number }[]>`
        select coalesce(max(live), 0)::int as live from (
          select count(*) filter (where s.is_live) as live
            from keyturn.service_accounts a
           cross join lateral keyturn.credential_states(a.organization_id, a.id, clock_timestamp()) s
           where a.organization_id = ${tenant} group by a.id) counted`;
      liveMax = Math.max(liveMax, row?.live ?? 0);
      looks += 1;
    }
  })();
  return {
    liveMax: () => liveMax,
    looks: () => looks,
    async stop() {
      isOver = true;
      await watching;
      await sql.end({ timeout: 1 });
    },
  };
}
