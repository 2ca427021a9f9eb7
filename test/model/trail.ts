import assert from "node:assert/strict";
import type postgres from "postgres";
import type { AuditRow } from "../support/audit-chain.ts";
import type { Call } from "./clients.ts";

/** A row of the trail with the call that it is about. */
export interface Recorded {
  readonly row: AuditRow;
  readonly call: Call;
}

/** Reads the trail bit by bit. */
export interface Trail {
  /**
   * What was written since the last time, chain by chain in their order, each row with its call. Every row is of one of
   * these calls, no call has two, and no sequence has a gap.
   */
  next(calls: readonly Call[]): Promise<ReadonlyMap<string, readonly Recorded[]>>;
}

export function openTrail(sql: postgres.Sql, tenant: string): Trail {
  const heads = new Map<string, number>();
  let seen = 0;
  return {
    async next(calls) {
      const rows = await sql<AuditRow[]>`
        select * from keyturn.audit_events where organization_id = ${tenant} order by service_account_uid, sequence`;
      const byName = new Map(calls.map((call) => [call.name, call]));
      const chains = Map.groupBy(
        rows.filter((row) => Number(row.sequence) > (heads.get(row.service_account_uid) ?? 0)),
        (row) => row.service_account_uid,
      );
      const fresh = [...chains.values()].flat();
      assert.equal(rows.length, seen + fresh.length, "rows of the trail have gone");
      seen = rows.length;
      assert.equal(
        new Set(fresh.map((row) => row.request_id)).size,
        fresh.length,
        "a call stands in the trail twice",
      );
      const recorded = (row: AuditRow): Recorded => {
        const call = byName.get(row.request_id);
        assert.ok(call, `${row.action} ${row.request_id} stands in the trail and was never called`);
        assertTold(row, call);
        return { row, call };
      };
      for (const [uid, chain] of chains) {
        const head = heads.get(uid) ?? 0;
        assert.deepEqual(
          chain.map((row) => Number(row.sequence)),
          chain.map((_, index) => head + index + 1),
        );
        heads.set(uid, head + chain.length);
      }
      return new Map([...chains].map(([uid, chain]) => [uid, chain.map(recorded)]));
    },
  };
}

const ACTIONS: Readonly<Record<string, string>> = {
  createCredential: "credential.create",
  rotateCredential: "credential.rotate",
  deleteCredential: "credential.delete",
  getCredential: "credential.get",
  listCredentials: "credential.list",
  revokeAllCredentials: "credential.revoke_all",
  createServiceAccount: "service_account.create",
  updateServiceAccount: "service_account.update",
  deleteServiceAccount: "service_account.delete",
  getServiceAccount: "service_account.get",
  listServiceAccounts: "service_account.list",
  updateCredentialPolicy: "credential_policy.update",
  getCredentialPolicy: "credential_policy.get",
  listAuditEvents: "audit_event.list",
};

/** The id of the account that a call names; `undefined` for one about the whole organization. */
export const accountIdOf = ({ service, req }: Pick<Call, "service" | "req">): string | undefined =>
  service === "ServiceAccountService" ? req.id : req.serviceAccountId;

/** The row says what was asked, by whom, of what, and with what end. */
function assertTold(row: AuditRow, call: Call): void {
  const { heard, rpc, req, client } = call;
  const isCredential = call.service === "CredentialService";
  const issued = /^(create|rotate)Credential$/.test(rpc) ? heard.body?.id : undefined;
  // What a request names is known once it was read, which that of a caller without the right is not at every door.
  const isNamed = !call.isMalformed && !(call.isMember && row.service_account_id === null);
  const told = {
    action: ACTIONS[rpc],
    outcome: call.isMember
      ? "permission_denied"
      : heard.reason === ""
        ? "succeeded"
        : heard.reason.toLowerCase(),
    service_account_id: isNamed ? (accountIdOf(call) ?? null) : null,
    credential_id: isNamed && isCredential ? (issued ?? req.id ?? null) : null,
    actor_subject: client.subject,
  };
  const written = Object.fromEntries(Object.keys(told).map((name) => [name, row[name as keyof AuditRow]]));
  assert.deepEqual(written, told, `the trail of ${call.name}`);
}
