import { randomBytes } from "node:crypto";
import { deriveKeys, parseRootKeys } from "../../src/auth/root-keys.ts";
import { composeSecret, newCredentialId } from "../../src/domain/secret.ts";
import { restCreate } from "./clients.ts";
import { givenAccount } from "./database.ts";
import { ROOT_KEY, type TestKeyturn } from "./keyturn.ts";

/** A credential with its secret, and the service account that it is of. */
export interface IssuedCredential {
  readonly organizationId: string;
  readonly accountId: string;
  readonly clientId: string;
  readonly id: string;
  readonly secret: string;
  readonly expiresAt: string;
}

export interface AccountAsWanted {
  readonly organizationId?: string;
  readonly roles?: readonly string[];
  /** The project that the account is of; the organization unless given. */
  readonly project?: string;
}

/** An account of its own with one credential, which a create with this body has issued. */
export async function givenIssued(
  h: Pick<TestKeyturn, "db" | "httpUrl" | "token">,
  { organizationId, roles = [], project }: AccountAsWanted = {},
  body: Readonly<Record<string, unknown>> = {},
): Promise<IssuedCredential> {
  const { sql } = h.db;
  const account = await givenAccount(sql, organizationId);
  await sql`update keyturn.service_accounts set roles = ${[...roles]} where id = ${account.id}`;
  if (project !== undefined)
    await sql`update keyturn.service_accounts set scope = 'project', scope_id = ${project} where id = ${account.id}`;
  return issueFor(h, account, body);
}

/** One more credential of an account. */
export async function issueFor(
  h: Pick<TestKeyturn, "httpUrl" | "token">,
  account: { readonly organizationId: string; readonly id: string },
  body: Readonly<Record<string, unknown>> = {},
): Promise<IssuedCredential> {
  const created = await restCreate(h, account.id, await h.token(account.organizationId), body);
  if (created.status !== 201) throw new Error(`no credential was issued: ${created.text}`);
  return {
    organizationId: account.organizationId,
    accountId: account.id,
    clientId: `${account.id}@${account.organizationId}.iam`,
    id: created.body.id,
    secret: created.body.clientSecret,
    expiresAt: created.body.expiresAt,
  };
}

/**
 * A secret that nobody was ever given, with the server's own tag: no check but the database and argon2 tells it from a
 * real one. For a credential that there is not, unless one is named.
 */
export function unissuedSecret(credentialId = newCredentialId(randomBytes)): string {
  const parsed = parseRootKeys(ROOT_KEY);
  if ("problem" in parsed) throw new Error(parsed.problem);
  const [tagKey] = deriveKeys(parsed.keys).secretTag;
  return composeSecret({ prefix: "plt", credentialId, tagKey, randomBytes });
}
