import { execFile, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { SESSION_SETTINGS } from "../../src/storage/session-settings.ts";
import type { Bench, BenchDatabase } from "./bench.ts";
import type { Scale } from "./scale.ts";
import type { Contender } from "./turns.ts";

/** Why pgbench cannot be run. */
export const withoutPgbench = (): string | undefined =>
  spawnSync("pgbench", ["--version"], { stdio: "ignore" }).status === 0
    ? undefined
    : "there is no pgbench on the PATH (PostgreSQL's client programs)";

/** A session of pgbench's lives no longer than a run, and begins with functions that are not compiled and plans that are not made. */
const COLD_SECONDS = 1;

/** All sessions are like a server's. */
const SESSION_OPTIONS = Object.entries(SESSION_SETTINGS)
  .map(([name, value]) => `-c ${name}=${value.replaceAll(" ", "\\ ")}`)
  .join(" ");

export interface PgbenchScript {
  /** A transaction in pgbench's own language. */
  readonly text: string;
  /** How often it is run in the place of the others. */
  readonly weight: number;
}

/** pgbench with prepared statements, as many transactions as there are time for. */
export function pgbench(
  bench: Bench,
  database: BenchDatabase,
  name: string,
  { scripts, clients }: { readonly scripts: readonly PgbenchScript[]; readonly clients: number },
): Contender {
  const folder = mkdtempSync(join(tmpdir(), "keyturn-pgbench-"));
  bench.later(() => rmSync(folder, { recursive: true, force: true }));
  const files = scripts.flatMap(({ text, weight }, index) => {
    const file = join(folder, `${index}.sql`);
    writeFileSync(file, text);
    return ["--file", `${file}@${weight}`];
  });
  const { hostname, port, username, password, pathname } = new URL(database.superuserUrl);
  const login = {
    PGHOST: hostname,
    PGPORT: port,
    PGUSER: username,
    PGPASSWORD: decodeURIComponent(password),
    PGDATABASE: pathname.slice(1),
    PGOPTIONS: SESSION_OPTIONS,
  };
  return {
    name,
    async run(durationMs) {
      const seconds = Math.max(1, Math.round(durationMs / 1000));
      const time = String(seconds + COLD_SECONDS);
      const load = ["--client", String(clients), "--jobs", "2", "--time", time, "--progress", "1"];
      const args = ["--no-vacuum", "--protocol", "prepared", ...load, ...files];
      const { stdout, stderr } = await promisify(execFile)("pgbench", args, {
        env: { ...process.env, ...login },
      });
      const reading = (pattern: RegExp) => Number(pattern.exec(stdout)?.[1] ?? Number.NaN);
      const averageMs = reading(/latency average = ([\d.]+)/);
      return {
        answers: reading(/transactions actually processed: (\d+)/),
        failures: Number(/failed transactions: (\d+)/.exec(stdout)?.[1] ?? 0),
        perSecond: rateOf(stderr),
        p50Ms: averageMs,
        p99Ms: Number.NaN,
      };
    },
  };
}

/** The mean of what pgbench says each second, but for those in which its sessions compile and plan for the first time. */
function rateOf(progress: string): number {
  const rates = [...progress.matchAll(/^progress: .*?([\d.]+) tps/gm)].map(([, tps]) => Number(tps));
  const warm = rates.slice(COLD_SECONDS);
  return warm.reduce((sum, rate) => sum + rate, 0) / warm.length;
}

const HASH = `$argon2id$v=19$m=19456,t=2,p=1$${"c".repeat(22)}$${"h".repeat(43)}`;

const createText = (organization: string): string => `
select outcome, facts #>> '{credential,id}' as created from keyturn.create_credential(
  row(${organization}, 'https://issuer.example', 'bench', null, '127.0.0.1', 'request', 10000, false)::keyturn.caller,
  row(7776000, 60, 31536000, 1000000)::keyturn.policy_bounds, 'sa-' || :n,
  row('cred-' || gen_random_uuid(), '${HASH}', 'hint', null, null, null, null, null)::keyturn.new_credential,
  row(null, null, null)::keyturn.replay_claim)`;

/** A create by the server's function, for one of so many accounts of an organization. */
export const createByFunction = (organizationId: string, accounts: number): string =>
  `\\set n random(1, ${accounts})${createText(`'${organizationId}'`)};\n`;

/**
 * The same for one of all the accounts of `givenRows`. What it creates it deletes again, or a thousand accounts would have
 * ever more credentials and a million would not.
 */
export const createByFunctionAmong = ({ accounts, organizations }: Scale): string => `
\\set n random(1, ${accounts})
\\set o 1 + (:n - 1) % ${organizations}${createText("'org-' || :o")} \\gset
delete from keyturn.credentials where organization_id = 'org-' || :o and service_account_id = 'sa-' || :n and id = :created;
`;

/**
 * The same rows by plain statements: lock, count, credential, audit row. No policy, no chain, no repetition: what a service
 * without functions does at the least. `bench_audit` counts the audit rows.
 */
export const createByStatements = (organizationId: string, accounts: number): string => `
\\set n random(1, ${accounts})
begin;
select * from keyturn.service_accounts where organization_id = '${organizationId}' and id = 'sa-' || :n for update;
select count(*) from keyturn.credentials
 where organization_id = '${organizationId}' and service_account_id = 'sa-' || :n and deleted_at is null
   and expires_at > clock_timestamp();
insert into keyturn.credentials
  (organization_id, service_account_id, id, secret_hash, hint, created_by, created_at, expires_at)
values ('${organizationId}', 'sa-' || :n, 'cred-' || gen_random_uuid(), '${HASH}', 'hint', 'bench', clock_timestamp(),
        clock_timestamp() + interval '90 days');
insert into keyturn.audit_events
  (organization_id, service_account_uid, sequence, occurred_at, action, outcome, service_account_id, actor_issuer,
   actor_subject, request_id, previous_hash, hash)
values ('${organizationId}', '11111111-1111-1111-1111-111111111111', nextval('bench_audit'), clock_timestamp(), 'credential.create',
        'succeeded', 'sa-' || :n, 'https://issuer.example', 'bench', 'request', '', sha256('x'));
commit;
`;

/** Takes the credentials of all the accounts away, so that few are counted, as few are in life. */
export const purge = (organizationId: string): string =>
  `delete from keyturn.credentials where organization_id = '${organizationId}';\n`;
