import type { CallContext } from "../domain/call-context.ts";
import { FaultError, organizationNotFound } from "../domain/fault.ts";
import type {
  CredentialPolicy,
  OrganizationPolicy,
  PolicyChanges,
  PolicyUpdate,
  PolicyViolation,
} from "../domain/policy.ts";
import { runOfCall } from "./call-statement.ts";
import { boundsRow } from "./credential-arguments.ts";
import { optionalInstant } from "./credential-facts.ts";
import type { Database } from "./database.ts";
import { mutate, type Outcome } from "./mutation.ts";
import type { Facts } from "./refusal.ts";

/** Statements about the policies of organizations, within the server's bounds. */
export interface CredentialPolicies {
  /** The policy that holds, also for an organization that nobody has heard of. @throws FaultError not_found once deleted. */
  get(ctx: CallContext): Promise<OrganizationPolicy>;
  update(
    ctx: CallContext,
    target: { readonly etag: string | undefined; readonly validateOnly: boolean },
    changes: PolicyChanges,
  ): Promise<Outcome<PolicyUpdate>>;
}

export function openCredentialPolicies(db: Database, bounds: CredentialPolicy): CredentialPolicies {
  return {
    async get(ctx) {
      const { organizationId } = ctx.caller;
      const [row] = await runOfCall<{ status: string | null; facts: Facts }>(
        db,
        ctx.signal,
        (sql) => sql`
          select o.status, keyturn.policy_facts(o, ${boundsRow(sql, bounds)}) as facts
            from (select) one left join keyturn.organizations o on o.id = ${organizationId}`,
      );
      if (row === undefined) throw new FaultError({ kind: "internal" });
      if (row.status === "deleted") throw organizationNotFound(organizationId);
      return toPolicy(row.facts["policy"]);
    },
    update: (ctx, target, changes) =>
      mutate(
        db,
        { ctx, validateOnly: target.validateOnly },
        (sql, caller) => sql`keyturn.update_credential_policy(
          ${caller}, ${boundsRow(sql, bounds)}, ${target.etag ?? null}, ${sql.json(changesJson(changes))})`,
        toUpdate,
      ),
  };
}

/** A member for each field that is changed, and no others. */
function changesJson(changes: PolicyChanges): Record<string, number | string | null> {
  const columns = {
    default_lifetime_seconds: changes.defaultLifetimeSeconds,
    min_lifetime_seconds: changes.minLifetimeSeconds,
    max_lifetime_seconds: changes.maxLifetimeSeconds,
    active_credentials_max: changes.activeCredentialsMax,
    credential_creation: changes.creation,
  };
  return Object.fromEntries(
    Object.entries(columns).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
  );
}

function toPolicy(facts: Facts): OrganizationPolicy {
  return {
    defaultLifetimeSeconds: facts["default_lifetime_seconds"],
    minLifetimeSeconds: facts["min_lifetime_seconds"],
    maxLifetimeSeconds: facts["max_lifetime_seconds"],
    activeCredentialsMax: facts["active_credentials_max"],
    creation: facts["credential_creation"],
    updatedAt: optionalInstant(facts["updated_at"]),
    etag: facts["etag"] ?? "",
  };
}

function toUpdate(facts: Facts): PolicyUpdate {
  const violations: readonly Facts[] = facts["violations"] ?? [];
  return {
    policy: toPolicy(facts["policy"]),
    violations: violations.map(toViolation),
    violationCount: facts["violation_count"],
  };
}

const toViolation = (facts: Facts): PolicyViolation => ({
  serviceAccountId: facts["service_account_id"],
  credentialId: facts["credential_id"],
  rule: facts["rule"],
  expiresAt: new Date(facts["expires_at"]),
});
