import type { CallContext } from "../domain/call-context.ts";
import { refused } from "../domain/fault.ts";
import type { Principal } from "../domain/principal.ts";
import type { Database } from "./database.ts";
import { mutate } from "./mutation.ts";

/** Whose secret was turned in, and by whom. */
export interface LeakReport extends Pick<CallContext, "clientAddress" | "requestId" | "budgetMs" | "signal"> {
  readonly principal: Pick<Principal, "organizationId" | "serviceAccountId" | "credentialId">;
}

export interface LeakReports {
  /** Revokes the credential for good. Without effect on one that was turned in before, or is gone. */
  report(report: LeakReport): Promise<void>;
}

/** In the trail, for whoever calls without a token. No issuer of tokens is named so. */
const ANONYMOUS = { issuer: "keyturn", subject: "anonymous" } as const;

export function openLeakReports(db: Database): LeakReports {
  return {
    async report({ principal, ...call }) {
      const { organizationId, serviceAccountId, credentialId } = principal;
      const ctx: CallContext = {
        ...call,
        caller: { ...ANONYMOUS, organizationId, roles: [], expiresAtMs: Number.MAX_SAFE_INTEGER },
        grantableRoles: [],
        reach: "organization",
      };
      const outcome = await mutate(
        db,
        { ctx, serviceAccountId, validateOnly: false },
        (sql, caller) =>
          sql`keyturn.report_leaked_credential(${caller}, ${serviceAccountId}, ${credentialId})`,
        () => undefined,
      );
      if (outcome.kind === "refused" && outcome.fault.kind !== "not_found") throw refused(outcome.fault);
    },
  };
}
