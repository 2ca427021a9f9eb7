import type postgres from "postgres";
import type { openAuditor } from "./auditor.ts";
import type { Desk } from "./clients.ts";
import { withCredential } from "./issue-rules.ts";
import type { Random } from "./random.ts";
import type { AccountState, CredentialState } from "./state.ts";

type Auditor = ReturnType<typeof openAuditor>;

/**
 * What happens while nobody calls: some credentials are used, some expire, and request ids grow older than ten minutes. No
 * call does any of it, so it is done to the rows and told to the model.
 */
export async function passTime(
  sql: postgres.Sql,
  tenant: string,
  random: Random,
  desk: Desk,
  auditor: Auditor,
): Promise<void> {
  for (const id of desk.known.accounts) {
    const { state } = auditor.lastOf(id);
    const credential = random.pick((state?.credentials ?? []).slice(-5));
    if (state === undefined || credential === undefined) continue;
    const deed = random.weighted({ use: 5, expire: 1, nothing: 2 });
    if (deed === "use") await record(id, state, { ...credential, lastUsedAt: await use(id, credential) });
    if (deed === "expire")
      await record(id, state, { ...credential, expiresAt: await expire(id, credential) });
  }
  if (random.chance(0.3)) {
    await sql`
      update keyturn.replays set created_at = created_at - interval '10 minutes' where organization_id = ${tenant}`;
    auditor.ledger.age(desk.tick());
  }

  async function record(id: string, state: AccountState, changed: CredentialState): Promise<void> {
    const [start, end] = [desk.tick(), desk.tick()];
    const { at } = auditor.lastOf(id);
    auditor.ledger.account(id).push({ state: withCredential(state, changed), start, end, at });
  }

  async function use(accountId: string, { id }: CredentialState): Promise<number> {
    const [row] = await sql<{ at: Date }[]>`
      insert into keyturn.credential_usage (organization_id, service_account_id, credential_id, last_used_at)
      values (${tenant}, ${accountId}, ${id}, clock_timestamp())
      on conflict (organization_id, service_account_id, credential_id) do update set last_used_at = excluded.last_used_at
      returning last_used_at as at`;
    return row?.at.getTime() ?? 0;
  }

  async function expire(accountId: string, { id }: CredentialState): Promise<number> {
    const [row] = await sql<{ at: Date }[]>`
      update keyturn.credentials set expires_at = greatest(least(expires_at, clock_timestamp()), created_at)
       where organization_id = ${tenant} and service_account_id = ${accountId} and id = ${id}
      returning expires_at as at`;
    return row?.at.getTime() ?? 0;
  }
}
