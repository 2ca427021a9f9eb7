import type { Principal, RefusedUseReason } from "../domain/principal.ts";
import type { Database } from "./database.ts";

/** From where a secret was presented. */
export interface Presented {
  readonly address: string | undefined;
  readonly userAgent: string | undefined;
}

export interface UsageRecorder {
  used(principal: Principal, presented: Presented): void;
  refused(principal: Principal, presented: Presented, reason: RefusedUseReason): void;
  /** Writes down what has gathered, and what gathers meanwhile. Rejects when it cannot; nothing is forgotten then. */
  flush(): Promise<void>;
  /** Credentials whose uses wait to be written. */
  pending(): number;
  stop(): void;
}

export interface UsageRecorderOptions {
  readonly intervalMs: number;
  readonly onError: (err: unknown) => void;
}

interface Uses {
  readonly organization_id: string;
  readonly service_account_id: string;
  readonly credential_id: string;
  used_at?: Date;
  used_ip?: string | undefined;
  used_user_agent?: string | undefined;
  use_count: number;
  refused_at?: Date;
  refused_reason?: RefusedUseReason;
  refused_ip?: string | undefined;
  refused_user_agent?: string | undefined;
  refused_count: number;
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
    const fresh: Uses = {
      organization_id: organizationId,
      service_account_id: serviceAccountId,
      credential_id: credentialId,
      use_count: 0,
      refused_count: 0,
    };
    gathered.set(credentialId, fresh);
    return fresh;
  }

  async function writeDown(): Promise<void> {
    while (gathered.size > 0) {
      const rows = [...gathered.values()].slice(0, ROWS_MAX);
      for (const { credential_id } of rows) gathered.delete(credential_id);
      try {
        await db.run(
          AbortSignal.timeout(WRITE_TIMEOUT_MS),
          (sql) => sql`select keyturn.record_uses(${sql.json(rows as never)})`,
        );
      } catch (err) {
        for (const row of rows) gathered.set(row.credential_id, merged(row, gathered.get(row.credential_id)));
        throw err;
      }
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
    used(principal, { address, userAgent }) {
      const uses = usesOf(principal);
      if (uses === undefined) return;
      uses.used_at = principal.checkedAt;
      uses.used_ip = address;
      uses.used_user_agent = plainText(userAgent);
      uses.use_count += 1;
    },
    refused(principal, { address, userAgent }, reason) {
      const uses = usesOf(principal);
      if (uses === undefined) return;
      uses.refused_at = principal.checkedAt;
      uses.refused_reason = reason;
      uses.refused_ip = address;
      uses.refused_user_agent = plainText(userAgent);
      uses.refused_count += 1;
    },
    flush,
    pending: () => gathered.size,
    stop: () => clearInterval(timer),
  };
}

/** What could not be written, with what has happened since, which is the newer. */
function merged(old: Uses, newer: Uses | undefined): Uses {
  if (newer === undefined) return old;
  return {
    ...old,
    ...newer,
    use_count: old.use_count + newer.use_count,
    refused_count: old.refused_count + newer.refused_count,
  };
}

/** A stranger's text, made fit to be stored: PostgreSQL takes no NUL, and no half of a pair. */
const plainText = (text: string | undefined): string | undefined =>
  text?.slice(0, USER_AGENT_LENGTH_MAX).replaceAll("\0", "").toWellFormed();
