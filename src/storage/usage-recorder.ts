import type { Principal, RefusedUseReason } from "../domain/principal.ts";
import type { Database } from "./database.ts";
import { withTimeLimit } from "./time-limit.ts";

/** From where a secret was presented. */
export interface Presented {
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

export interface UsageRecorder {
  used(principal: Principal, presented: Presented): void;
  refused(principal: Principal, presented: Presented, reason: RefusedUseReason): void;
  /** Writes down what has gathered until now. Rejects when it cannot; nothing is forgotten then. */
  flush(): Promise<void>;
  /** Credentials whose uses wait to be written. */
  pending(): number;
  stop(): void;
}

export interface UsageRecorderOptions {
  readonly intervalMs: number;
  readonly onError: (err: unknown) => void;
}

/** The last of the uses that were allowed, or of those that were refused. */
interface LastUse {
  readonly at: Date;
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

interface LastRefusedUse extends LastUse {
  readonly reason: RefusedUseReason;
}

/** No more of the principal than is written: there may be many. */
interface Uses extends Pick<Principal, "organizationId" | "serviceAccountId" | "credentialId"> {
  used: LastUse | undefined;
  useCount: number;
  refused: LastRefusedUse | undefined;
  refusedCount: number;
}

const USER_AGENT_LENGTH_MAX = 255;
const ROWS_MAX = 1_000;
const WRITE_TIMEOUT_MS = 5_000;
/** A database that is away for long must not take the memory: what a further credential does is not recorded then. */
const PENDING_MAX = 100_000;

/**
 * Gathers uses in memory, one entry a credential, and writes them down in one statement every so often: a check never waits
 * for that, and a killed process loses no more than one interval.
 */
export function startUsageRecorder(db: Database, options: UsageRecorderOptions): UsageRecorder {
  const gathered = new Map<string, Uses>();
  let flushing: Promise<void> | undefined;

  function usesOf({ organizationId, serviceAccountId, credentialId }: Principal): Uses | undefined {
    const known = gathered.get(credentialId);
    if (known !== undefined || gathered.size >= PENDING_MAX) return known;
    const ids = { organizationId, serviceAccountId, credentialId };
    const fresh: Uses = { ...ids, used: undefined, useCount: 0, refused: undefined, refusedCount: 0 };
    gathered.set(credentialId, fresh);
    return fresh;
  }

  /** What is there now. What comes meanwhile waits for its own interval: a busy server would never be done with it. */
  async function writeDown(): Promise<void> {
    const ids = [...gathered.keys()];
    for (let start = 0; start < ids.length; start += ROWS_MAX)
      await write(ids.slice(start, start + ROWS_MAX));
  }

  async function write(ids: readonly string[]): Promise<void> {
    const taken = ids.flatMap((id) => gathered.get(id) ?? []);
    for (const id of ids) gathered.delete(id);
    const rows = taken.map(toRow);
    try {
      await withTimeLimit(WRITE_TIMEOUT_MS, (signal) =>
        db.run(signal, (sql) => sql`select keyturn.record_uses(${sql.json(rows as never)})`),
      );
    } catch (err) {
      for (const uses of taken)
        gathered.set(uses.credentialId, merged(uses, gathered.get(uses.credentialId)));
      throw err;
    }
  }

  const flush = async (): Promise<void> => {
    await flushing?.catch(() => {});
    flushing ??= writeDown().finally(() => {
      flushing = undefined;
    });
    return flushing;
  };

  const timer = setInterval(() => {
    if (flushing === undefined && gathered.size > 0) flush().catch(options.onError);
  }, options.intervalMs).unref();

  return {
    used(principal, presented) {
      const uses = usesOf(principal);
      if (uses === undefined) return;
      uses.used = newest(uses.used, lastUse(principal, presented));
      uses.useCount += 1;
    },
    refused(principal, presented, reason) {
      const uses = usesOf(principal);
      if (uses === undefined) return;
      uses.refused = newest(uses.refused, { ...lastUse(principal, presented), reason });
      uses.refusedCount += 1;
    },
    flush,
    pending: () => gathered.size,
    stop: () => clearInterval(timer),
  };
}

const lastUse = ({ checkedAt }: Principal, { address, userAgent }: Presented): LastUse => ({
  at: checkedAt,
  address,
  userAgent: plainText(userAgent),
});

/** Checks do not end in the order in which they read the clock. */
function newest<Use extends LastUse>(one: Use | undefined, other: Use | undefined): Use | undefined {
  if (one === undefined || other === undefined) return one ?? other;
  return one.at > other.at ? one : other;
}

/** What could not be written, with what has happened since. */
function merged(old: Uses, since: Uses | undefined): Uses {
  if (since === undefined) return old;
  return {
    ...old,
    used: newest(old.used, since.used),
    useCount: old.useCount + since.useCount,
    refused: newest(old.refused, since.refused),
    refusedCount: old.refusedCount + since.refusedCount,
  };
}

/** As the database function takes it. What is undefined is absent. */
const toRow = ({ used, refused, ...uses }: Uses) => ({
  organization_id: uses.organizationId,
  service_account_id: uses.serviceAccountId,
  credential_id: uses.credentialId,
  used_at: used?.at,
  used_ip: used?.address,
  used_user_agent: used?.userAgent,
  use_count: uses.useCount,
  refused_at: refused?.at,
  refused_reason: refused?.reason,
  refused_ip: refused?.address,
  refused_user_agent: refused?.userAgent,
  refused_count: uses.refusedCount,
});

/** A stranger's text, made fit to be stored: PostgreSQL takes no NUL, and no half of a pair. */
const plainText = (text: string | undefined): string | undefined =>
  text?.slice(0, USER_AGENT_LENGTH_MAX).replaceAll("\0", "").toWellFormed();
