import type { Database } from "./database.ts";

/** A right that a server's login must not have. */
export type ExcessiveRight = "SUPERUSER" | "BYPASSRLS" | "WRITES_TABLES";

/** What is known of the login that the server uses. */
export interface LoginExamination {
  /** Undefined until the database could be asked. */
  excessive(): readonly ExcessiveRight[] | undefined;
  /** Resolves once it is known; never, should the database never answer. */
  readonly known: Promise<readonly ExcessiveRight[]>;
  stop(): void;
}

const ASK_TIMEOUT_MS = 2_000;
const ASK_AGAIN_MS = 500;

/**
 * The functions keep their promises whoever calls, but a login that may write tables, read past row security or do
 * anything at all could go around them. Asked until the database answers.
 * @param mayWriteTables true in development, where the schema's owner may be the only login there is.
 */
export function examineLogin(db: Database, mayWriteTables: boolean): LoginExamination {
  const known = Promise.withResolvers<readonly ExcessiveRight[]>();
  let excessive: readonly ExcessiveRight[] | undefined;
  let timer: NodeJS.Timeout | undefined;
  const ask = async () => {
    try {
      const rights = await rightsOf(db, AbortSignal.timeout(ASK_TIMEOUT_MS));
      excessive = rights.filter((right) => right !== "WRITES_TABLES" || !mayWriteTables);
      known.resolve(excessive);
    } catch {
      timer = setTimeout(ask, ASK_AGAIN_MS).unref();
    }
  };
  void ask();
  return { excessive: () => excessive, known: known.promise, stop: () => clearTimeout(timer) };
}

async function rightsOf(db: Database, signal: AbortSignal): Promise<ExcessiveRight[]> {
  const [row] = await db.run<Record<Lowercase<ExcessiveRight>, boolean>>(
    signal,
    (sql) => sql`
      select rolsuper as superuser, rolbypassrls as bypassrls,
             coalesce(has_table_privilege(current_user, to_regclass('keyturn.credentials'),
                                          'insert, update, delete, truncate'), false) as writes_tables
        from pg_roles where rolname = current_user`,
  );
  const held = (right: Lowercase<ExcessiveRight>) => row?.[right] === true;
  return [
    ...(held("superuser") ? (["SUPERUSER"] as const) : []),
    ...(held("bypassrls") ? (["BYPASSRLS"] as const) : []),
    // A superuser may do everything, which need not be said twice.
    ...(held("writes_tables") && !held("superuser") ? (["WRITES_TABLES"] as const) : []),
  ];
}
