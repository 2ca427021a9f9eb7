import type postgres from "postgres";
import type { RefusedUseReason } from "../../src/domain/principal.ts";
import { givenAccount } from "../support/database.ts";
import { type Account, callCreate, callerOf, freshCredentialId, outcomeOf } from "./create-call.ts";
import { type CredentialTimes, givenCredential } from "./stored-credential.ts";

/** A credential in some state, and what a check of its right secret must come to. */
export interface CheckedState {
  readonly name: string;
  /** Undefined: it holds. `unknown`: there is no such credential any more. */
  readonly refusal: RefusedUseReason | "unknown" | undefined;
  /** Brings an account's credential into that state, and gives its id. */
  readonly make: (sql: postgres.Sql, account: Account) => Promise<string>;
}

type Change = (sql: postgres.Sql, account: Account, id: string) => Promise<unknown>;

const deleteIt: Change = (sql, account, id) =>
  outcomeOf(sql, sql`keyturn.delete_credential(${callerOf(sql, account)}, ${account.id}, ${id}, null)`);
const revokeAccount: Change = (sql, account) =>
  outcomeOf(sql, sql`keyturn.revoke_service_account_credentials(${callerOf(sql, account)}, ${account.id})`);
const revokeOrganization =
  (...exempt: ("itself" | "another")[]): Change =>
  async (sql, account) => {
    const other = await givenAccount(sql, account.organizationId);
    const ids = exempt.map((whom) => (whom === "itself" ? account.id : other.id));
    await outcomeOf(
      sql,
      sql`keyturn.revoke_organization_credentials(${callerOf(sql, account)}, ${sql.array(ids)})`,
    );
  };
const turnIn: Change = (sql, account, id) =>
  outcomeOf(sql, sql`keyturn.report_leaked_credential(${callerOf(sql, account)}, ${account.id}, ${id})`);
const disable: Change = (sql, { organizationId, id }) =>
  sql`update keyturn.service_accounts set status = 'disabled' where organization_id = ${organizationId} and id = ${id}`;
const setOrganization =
  (status: string): Change =>
  (sql, { organizationId }) =>
    sql`select keyturn.set_organization_status(${organizationId}, ${status})`;
const deleteAccount: Change = (sql, account) =>
  outcomeOf(sql, sql`keyturn.delete_service_account(${callerOf(sql, account)}, ${account.id}, null)`);
const revokeBefore =
  (msAfterCreation: number): Change =>
  (sql, { organizationId }, id) =>
    sql`update keyturn.service_accounts a
           set credentials_revoked_before = c.created_at + make_interval(secs => ${msAfterCreation / 1000})
          from keyturn.credentials c where a.organization_id = ${organizationId} and c.id = ${id}`;
const beginIn =
  (seconds: number): Change =>
  (sql, _, id) =>
    sql`update keyturn.credentials set not_before = clock_timestamp() + make_interval(secs => ${seconds})
         where id = ${id}`;

function state(
  name: string,
  refusal: CheckedState["refusal"],
  times: CredentialTimes,
  ...changes: Change[]
): CheckedState {
  return {
    name,
    refusal,
    async make(sql, account) {
      const id = await givenCredential(sql, account, times);
      for (const change of changes) await change(sql, account, id);
      return id;
    },
  };
}

/** A credential that is created after its predecessors were revoked. */
function createdAfter(name: string, change: Change): CheckedState {
  return {
    name,
    refusal: undefined,
    async make(sql, account) {
      await change(sql, account, await givenCredential(sql, account));
      const credentialId = freshCredentialId();
      await callCreate(sql, account, { credentialId });
      return credentialId;
    },
  };
}

/** Where several reasons hold, the one that is there for good is told. */
export const CHECKED_STATES: readonly CheckedState[] = [
  state("active", undefined, {}),
  state("expired", "expired", { remainingSeconds: -1 }),
  state("not valid yet", "pending", {}, beginIn(60)),
  state("valid since a moment ago", undefined, {}, beginIn(-1)),
  state("deleted", "deleted", {}, deleteIt),
  state("deleted after it had expired", "deleted", { remainingSeconds: -1 }, deleteIt),
  state("revoked with its account's", "revoked", {}, revokeAccount),
  state("revoked with its organization's", "revoked", {}, revokeOrganization()),
  state("revoked with all but another account's", "revoked", {}, revokeOrganization("another")),
  state("of an account that is exempt from a revocation", undefined, {}, revokeOrganization("itself")),
  state(
    "of an account that is exempt, but was revoked before",
    "revoked",
    {},
    revokeAccount,
    revokeOrganization("itself"),
  ),
  state(
    "of an account that was exempt once, and not the next time",
    "revoked",
    {},
    revokeOrganization("itself"),
    revokeOrganization(),
  ),
  state(
    "of an account that is exempt now, but was not the time before",
    "revoked",
    {},
    revokeOrganization(),
    revokeOrganization("itself"),
  ),
  createdAfter("created after its account's were revoked", revokeAccount),
  createdAfter("created after its organization's were revoked", revokeOrganization()),
  state("created at the very instant before which its account's are revoked", undefined, {}, revokeBefore(0)),
  state("created a millisecond before that instant", "revoked", {}, revokeBefore(1)),
  state("turned in by somebody", "revoked", {}, turnIn),
  state(
    "turned in, of an account that is exempt from a revocation",
    "revoked",
    {},
    turnIn,
    revokeOrganization("itself"),
  ),
  state("turned in after it had expired", "revoked", { remainingSeconds: -1 }, turnIn),
  state("turned in and deleted", "deleted", {}, turnIn, deleteIt),
  state("of a disabled account", "service_account_disabled", {}, disable),
  state("of a suspended organization", "organization_suspended", {}, setOrganization("suspended")),
  state(
    "of an organization that goes on",
    undefined,
    {},
    setOrganization("suspended"),
    setOrganization("active"),
  ),
  state("of a deleted account", "unknown", {}, deleteAccount),
  state("of a deleted organization", "unknown", {}, setOrganization("deleted")),
  state("revoked and expired", "revoked", { remainingSeconds: -1 }, revokeAccount),
  state("expired and of a disabled account", "expired", { remainingSeconds: -1 }, disable),
  state(
    "of a disabled account of a suspended organization",
    "service_account_disabled",
    {},
    disable,
    setOrganization("suspended"),
  ),
];
