import type postgres from "postgres";
import { callCreate } from "../storage/create-call.ts";
import { givenAccount } from "./database.ts";

/** A service account with an audit chain. */
export interface Chain {
  readonly organizationId: string;
  readonly id: string;
  readonly uid: string;
}

/** So many rows, of creates that succeeded and, beyond the limit of the account, of such that were refused. */
export async function givenChain(
  sql: postgres.Sql,
  options: { readonly organizationId?: string; readonly rows?: number } = {},
): Promise<Chain> {
  const account = await givenAccount(sql, options.organizationId);
  await lengthen(sql, account, options.rows ?? 4);
  const [row] = await sql<{ uid: string }[]>`
    select uid from keyturn.service_accounts
     where organization_id = ${account.organizationId} and id = ${account.id}`;
  return { ...account, uid: row?.uid ?? "" };
}

export async function lengthen(
  sql: postgres.Sql,
  account: Pick<Chain, "organizationId" | "id">,
  rows: number,
): Promise<void> {
  const subject = 'a "quoted" \\ Zoë, 東京 \u2028 🔑';
  for (let row = 0; row < rows; row += 1)
    await callCreate(sql, account, { subject, clientAddress: "2001:db8::7" });
}

const ROWS = "keyturn.audit_events where service_account_uid = $1";
const MOVE = (from: number | string, to: number | string) =>
  `update keyturn.audit_events set sequence = ${to} where service_account_uid = $1 and sequence ${from}`;
const HEAD = (change: string) => `update keyturn.audit_chains set ${change} where service_account_uid = $1`;
/** A copy of row 4 at another place. */
const COPY = (sequence: number, previousHash: string, hash: string) => `
  insert into keyturn.audit_events (
    organization_id, service_account_uid, sequence, occurred_at, action, outcome, service_account_id, credential_id,
    actor_issuer, actor_subject, client_address, request_id, details, transaction_id, previous_hash, hash)
  select organization_id, service_account_uid, ${sequence}, occurred_at, action, outcome, service_account_id, credential_id,
         actor_issuer, actor_subject, client_address, request_id, details, transaction_id, ${previousHash}, ${hash}
    from ${ROWS} and sequence = 4`;

export interface Tampering {
  readonly name: string;
  /** As superuser, each with the UUID of a chain of four rows as its parameter. */
  readonly statements: readonly string[];
  /** What is to be found: the row and the kind of the problem. */
  readonly found: readonly (readonly [sequence: number, kind: string])[];
}

const tampering = (name: string, statements: readonly string[], found: Tampering["found"]): Tampering => ({
  name,
  statements,
  found,
});

/** Everything that somebody who may write the tables could do to a chain, short of computing all of it again. */
export const TAMPERINGS: readonly Tampering[] = [
  tampering(
    "a changed row",
    [
      "update keyturn.audit_events set outcome = 'succeeded', actor_subject = 'x' where service_account_uid = $1 and sequence = 2",
    ],
    [[2, "row_changed"]],
  ),
  tampering(
    "a changed row with a new hash",
    [
      "update keyturn.audit_events set actor_subject = 'x' where service_account_uid = $1 and sequence = 2",
      "update keyturn.audit_events e set hash = keyturn.audit_event_hash(e) where service_account_uid = $1 and sequence = 2",
    ],
    [[3, "row_out_of_order"]],
  ),
  tampering(
    "a changed last row with a new hash",
    [
      "update keyturn.audit_events set actor_subject = 'x' where service_account_uid = $1 and sequence = 4",
      "update keyturn.audit_events e set hash = keyturn.audit_event_hash(e) where service_account_uid = $1 and sequence = 4",
    ],
    [[4, "head_changed"]],
  ),
  tampering("a removed first row", [`delete from ${ROWS} and sequence = 1`], [[2, "rows_missing"]]),
  tampering(
    "removed rows in the middle",
    [`delete from ${ROWS} and sequence in (2, 3)`],
    [[4, "rows_missing"]],
  ),
  tampering(
    "a removed row, with the later ones counted anew",
    [`delete from ${ROWS} and sequence = 2`, MOVE("= 3", 2), MOVE("= 4", 3)],
    [
      [2, "row_out_of_order"],
      [2, "row_changed"],
      [3, "row_changed"],
      [3, "head_ahead"],
    ],
  ),
  tampering("a removed last row", [`delete from ${ROWS} and sequence = 4`], [[3, "head_ahead"]]),
  tampering("all rows removed", [`delete from ${ROWS}`], [[4, "chain_emptied"]]),
  tampering(
    "a whole chain removed with its head",
    [`delete from ${ROWS}`, "delete from keyturn.audit_chains where service_account_uid = $1"],
    [[0, "chain_missing"]],
  ),
  tampering(
    "two rows in each other's place",
    [MOVE("= 2", 99), MOVE("= 3", 2), MOVE("= 99", 3)],
    [
      [2, "row_out_of_order"],
      [2, "row_changed"],
      [3, "row_out_of_order"],
      [3, "row_changed"],
      [4, "row_out_of_order"],
    ],
  ),
  tampering(
    "a row put in behind the end",
    [COPY(5, "hash", "sha256(hash)")],
    [
      [5, "row_changed"],
      [5, "head_behind"],
    ],
  ),
  tampering(
    "a well hashed row put in behind the end",
    [
      COPY(5, "hash", "hash"),
      "update keyturn.audit_events e set hash = keyturn.audit_event_hash(e) where service_account_uid = $1 and sequence = 5",
    ],
    [[5, "head_behind"]],
  ),
  tampering(
    "a row put in before the first",
    [COPY(0, "''", "sha256(hash)")],
    [
      [0, "row_before_first"],
      [0, "row_changed"],
      [1, "row_out_of_order"],
    ],
  ),
  tampering(
    "a row put in between",
    [MOVE("= 4", 99), MOVE("= 3", 4), COPY(3, "previous_hash", "hash"), MOVE("= 99", 5)],
    [
      [4, "row_out_of_order"],
      [4, "row_changed"],
      [5, "row_changed"],
      [5, "head_behind"],
    ],
  ),
  tampering(
    "a removed head",
    ["delete from keyturn.audit_chains where service_account_uid = $1"],
    [[4, "head_missing"]],
  ),
  tampering("a head that is ahead", [HEAD("sequence = 6")], [[4, "head_ahead"]]),
  tampering("a head that is behind", [HEAD("sequence = 3")], [[4, "head_behind"]]),
  tampering("a head with another hash", [HEAD("hash = sha256(hash)")], [[4, "head_changed"]]),
];

/** One for each column that the hash is over. */
export const CHANGES: readonly string[] = [
  "occurred_at = occurred_at + interval '1 millisecond'",
  "action = 'credential.delete'",
  "outcome = 'failed'",
  "service_account_id = 'sa-other'",
  "service_account_id = null",
  "credential_id = null",
  "credential_id = credential_id || 'x'",
  "actor_issuer = 'https://else.example'",
  "actor_subject = normalize(actor_subject, NFD)",
  "actor_issuer = actor_subject, actor_subject = actor_issuer",
  "client_address = '203.0.113.8'",
  "client_address = set_masklen(client_address, 24)",
  "client_address = null",
  "request_id = ''",
  `details = '{"limit": "5"}'`,
  "hash = sha256('x')",
];

/** Does it to one chain, and fails when there was nothing to do it to. */
export async function tamper(
  sql: postgres.Sql,
  { uid }: Pick<Chain, "uid">,
  statements: readonly string[],
): Promise<void> {
  for (const statement of statements) {
    const { count } = await sql.unsafe(statement, [uid]);
    if (count === 0) throw new Error(`nothing was tampered with: ${statement}`);
  }
}
