import type { NewSigningKey, StoredSigningKeys } from "../domain/signing-key.ts";
import type { Database } from "./database.ts";

/** The keys that sign access tokens. They belong to no organization. */
export interface SigningKeys {
  /** @throws FaultError unavailable, internal, or the signal's. */
  list(signal: AbortSignal): Promise<StoredSigningKeys>;
  /** Whether the key was added: not, when another one is new enough. @throws FaultError as `list` does. */
  add(signal: AbortSignal, key: NewSigningKey): Promise<boolean>;
}

export function openSigningKeys(db: Database): SigningKeys {
  return { list: (signal) => list(db, signal), add: (signal, key) => add(db, signal, key) };
}

interface Row {
  readonly read_at: Date;
  /** Null in the one row that there is without any key. */
  readonly kid: string | null;
  readonly sealed_private_key: Buffer;
  readonly signs_from: Date;
}

async function list(db: Database, signal: AbortSignal): Promise<StoredSigningKeys> {
  const rows = await db.run<Row>(
    signal,
    (sql) => sql`
      select clock_timestamp() as read_at, k.kid, k.sealed_private_key, k.signs_from
        from (select) one left join keyturn.signing_keys k on true
       order by k.signs_from, k.kid`,
  );
  const keys = rows.flatMap(({ kid, sealed_private_key: sealedPrivateKey, signs_from: signsFrom }) =>
    kid === null ? [] : [{ kid, sealedPrivateKey, signsFrom }],
  );
  return { keys, readAt: rows[0]?.read_at ?? new Date(Number.NaN) };
}

async function add(db: Database, signal: AbortSignal, key: NewSigningKey): Promise<boolean> {
  const ageMax = key.ageSecondsMax === undefined ? null : `${key.ageSecondsMax} seconds`;
  const [row] = await db.run<{ added: boolean }>(
    signal,
    (sql) => sql`
      select keyturn.add_signing_key(${key.kid}, ${sql.json({ ...key.publicJwk })}, ${key.sealedPrivateKey},
                                     ${ageMax}, ${`${key.publishAheadSeconds} seconds`}) as added`,
  );
  return row?.added === true;
}
