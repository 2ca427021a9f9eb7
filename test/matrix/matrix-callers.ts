import { randomBytes } from "node:crypto";
import type postgres from "postgres";
import type { TestKeyturn } from "../support/keyturn.ts";

export const CALLERS = [
  "anonymous",
  "member",
  "verifier",
  "platformVerifier",
  "administrator",
  "anotherAdministrator",
  "deletedAdministrator",
] as const;

/**
 * A member has no role that counts; a verifier checks the secrets and tokens of others. The last two: an administrator of
 * another tenant, and one of a tenant that was deleted.
 */
export type CallerName = (typeof CALLERS)[number];

/**
 * What a call names, seen from the caller's organization: its own; a credential under the wrong account of the same
 * organization; one of another organization; one that is nowhere.
 */
export type Target = "own" | "others" | "foreign" | "missing";

/** The ids that a call names. */
export interface Named {
  readonly account: string;
  readonly credential: string;
}

/** An organization with two accounts, of which the first has a credential. */
interface Tenant extends Named {
  readonly organizationId: string;
  readonly sibling: string;
}

export interface Caller {
  readonly token: string | undefined;
  readonly subject: string;
  readonly home: Tenant;
  readonly abroad: Tenant;
}

/** Three organizations and those who call. */
export interface World {
  readonly callers: Readonly<Record<CallerName, Caller>>;
  readonly organizationIds: readonly string[];
}

export async function givenWorld(h: TestKeyturn): Promise<World> {
  const [here, there, deleted] = [
    await givenTenant(h.db.sql),
    await givenTenant(h.db.sql),
    await givenTenant(h.db.sql),
  ];
  await h.db.sql`select keyturn.set_organization_status(${deleted.organizationId}, 'deleted')`;
  const caller = async (home: Tenant, abroad: Tenant, role: string): Promise<Caller> => {
    const subject = `${role}-of-${home.organizationId}`;
    return {
      token: await h.token(home.organizationId, { sub: subject, roles: [role] }),
      subject,
      home,
      abroad,
    };
  };
  return {
    callers: {
      anonymous: { token: undefined, subject: "", home: here, abroad: there },
      member: await caller(here, there, "member"),
      verifier: await caller(here, there, "verifier"),
      platformVerifier: await caller(here, there, "platform-verifier"),
      administrator: await caller(here, there, "admin"),
      anotherAdministrator: await caller(there, here, "admin"),
      deletedAdministrator: await caller(deleted, here, "admin"),
    },
    organizationIds: [here, there, deleted].map(({ organizationId }) => organizationId),
  };
}

const anyId = (prefix: string) => `${prefix}-${randomBytes(8).toString("hex")}`;

/** Every row bears the id of its organization, so that an answer which shows one to a stranger gives itself away. */
async function givenTenant(sql: postgres.Sql): Promise<Tenant> {
  const organizationId = anyId("org");
  const [account, sibling, credential] = [anyId("sa"), anyId("sa"), anyId("cred")];
  await sql`
    with organization as (insert into keyturn.organizations (id) values (${organizationId})),
    accounts as (
      insert into keyturn.service_accounts (organization_id, id, display_name, description, scope_id, created_by)
      select ${organizationId}, id, ${organizationId}, ${organizationId}, ${organizationId}, ${organizationId}
        from unnest(${[account, sibling]}::text[]) id)
    insert into keyturn.credentials (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at,
                                     expires_at, display_name, labels)
    values (${organizationId}, ${account}, ${credential}, 'none', 'none', ${organizationId}, now(),
            now() + interval '30 days', ${organizationId}, ${sql.json({ of: organizationId })})`;
  return { organizationId, account, sibling, credential };
}

export function namedBy({ home, abroad }: Caller, target: Target): Named {
  switch (target) {
    case "own":
      return home;
    case "others":
      return { account: home.sibling, credential: home.credential };
    case "foreign":
      return abroad;
    case "missing":
      return { account: anyId("sa"), credential: anyId("cred") };
  }
}

/** Takes away what was foreign or somebody's own, but not the wrong accounts. */
export async function vanish(sql: postgres.Sql, { callers }: World): Promise<void> {
  const ids = Object.values(callers).map(({ home }) => home.account);
  await sql`delete from keyturn.service_accounts where id = any (${ids})`;
}
