import type { CallContext } from "../domain/call-context.ts";
import type { Ask } from "../domain/shared-reads.ts";
import type { Database } from "./database.ts";
import { callerRow } from "./mutation.ts";
import { shareStatement } from "./shared-statement.ts";

/** What names a token in the database. */
export interface TokenQuestion {
  readonly credentialId: string;
  readonly clientId: string;
  readonly jti: string;
}

export interface TokenRevocation {
  readonly organizationId: string;
  readonly serviceAccountId: string;
  readonly credentialId: string;
  readonly jti: string;
  readonly expiresAt: Date;
}

export interface TokenStates {
  /** Whether the token was not revoked, and its credential, service account and organization hold at this moment. */
  readonly holds: Ask<TokenQuestion, boolean>;
  revoke(ctx: CallContext, token: TokenRevocation): Promise<void>;
}

/**
 * Where a secret may be used from is no matter of the tokens that it was exchanged for: their address is another's. Each
 * revoked token is looked up by itself: `not exists` would be a join, and could read all that an organization has revoked.
 */
export function openTokenStates(db: Database): TokenStates {
  const holds = shareStatement(
    db,
    "credential_checks",
    async (questions: readonly TokenQuestion[], signal) => {
      const ids = questions.map(({ credentialId }) => credentialId);
      const jtis = questions.map(({ jti }) => jti);
      const rows = await db.run<{ place: string; client_id: string }>(
        signal,
        (sql) => sql`
      select c.place, c.service_account_id || '@' || c.organization_id || '.iam' as client_id
        from keyturn.credential_checks(${ids}, array_fill(''::text, array[${ids.length}::integer])) c
       where coalesce(c.refusal, 'address_not_allowed') = 'address_not_allowed'
         and (select t.jti from keyturn.revoked_tokens t
               where t.organization_id = c.organization_id and t.jti = (${jtis}::text[])[c.place]) is null`,
      );
      const answers = questions.map(() => false);
      for (const { place, client_id } of rows) {
        const index = Number(place) - 1;
        answers[index] = client_id === questions[index]?.clientId;
      }
      return answers;
    },
  );
  return {
    holds,
    async revoke(ctx, token) {
      const ofOrganization = {
        ...ctx,
        caller: { ...ctx.caller, organizationId: token.organizationId },
      };
      await db.run(
        ctx.signal,
        (sql) => sql`select keyturn.revoke_token(
          ${callerRow(sql, ofOrganization, ctx.budgetMs(), false)}, ${token.serviceAccountId}, ${token.credentialId},
          ${token.jti}, ${token.expiresAt})`,
      );
    },
  };
}
