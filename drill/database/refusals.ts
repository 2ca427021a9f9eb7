import postgres from "postgres";
import { eventually } from "../../test/support/eventually.ts";
import type { Drill } from "../support/drill.ts";
import { type Scene, underLoad } from "../support/under-load.ts";

const ROUNDS = { quick: 1, full: 10 };
/** So many calls have to fail before the trouble is over. */
const FAILURES = 10;
const CONNECTIONS_MAX = 40;

/** A trouble of the database, and how it ends. */
type Trouble = (scene: Scene) => Promise<() => Promise<unknown>>;

/** Rows that a create writes: each is to be the one that the disk has no place for. */
const raising =
  (table: string): Trouble =>
  async ({ world: { sql } }) => {
    await sql.unsafe(`create trigger full_disk before insert on keyturn.${table}
      for each row execute function keyturn_drill_full_disk()`);
    return () => sql.unsafe(`drop trigger full_disk on keyturn.${table}`);
  };

const readOnly: Trouble = async ({ world: { sql } }) => {
  const set = async (word: string) => {
    await sql.unsafe(`alter system set default_transaction_read_only = ${word}`);
    await sql`select pg_reload_conf()`;
  };
  await set("on");
  return async () => {
    await sql`set transaction_read_only = off`.catch(() => {});
    await sql`set default_transaction_read_only = off`;
    await set("off");
  };
};

/** Somebody else has every connection that there is, as soon as the server loses its own. */
const noConnectionLeft: Trouble = async ({ world }) => {
  const hogs: postgres.Sql[] = [];
  const hog = async () => {
    const sql = postgres(world.cluster.serverUrl, { max: 1, onnotice: () => {}, max_lifetime: null });
    hogs.push(sql);
    return sql`select 1`.then(
      () => true,
      () => false,
    );
  };
  await eventually(async () => {
    await world.sql`
      select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'keyturn' limit 1`;
    const [isFull, again] = [!(await hog()), !(await hog())];
    const rows = await world.sql`select from pg_stat_activity where application_name = 'keyturn'`;
    return isFull && again && rows.length === 0;
  });
  return () => Promise.all(hogs.map((sql) => sql.end({ timeout: 0 }).catch(() => {})));
};

/** Every account is held by a transaction that does not end, so that each statement takes its connection for long. */
const slowQueries: Trouble = async ({ world }) => {
  const sql = world.cluster.connect();
  const isOver = Promise.withResolvers<void>();
  const isHeld = Promise.withResolvers<void>();
  const held = sql.begin(async (tx) => {
    await tx`select from keyturn.service_accounts for update`;
    isHeld.resolve();
    await isOver.promise;
  });
  await isHeld.promise;
  return async () => {
    isOver.resolve();
    await held;
    await sql.end({ timeout: 1 });
  };
};

const TROUBLES: Readonly<Record<string, Trouble>> = {
  "no place for a credential": raising("credentials"),
  "none for an audit row": raising("audit_events"),
  "none for a repetition": raising("replays"),
  "none for an event": raising("events"),
  "read-only": readOnly,
  "max_connections reached": noConnectionLeft,
  "slow queries in every connection": slowQueries,
};

export const drill: Drill = {
  title:
    "the database refuses: no place for a row, read-only, no connection left, slow queries in all of them",
  invariants: ["kept", "explained", "gone", "audited", "truthful", "heard", "recovers", "released"],
  bugs: [
    {
      name: "a create that goes on without its audit row",
      breaks: "audited",
      file: "src/storage/functions/record_outcome.sql",
      from: "  perform keyturn.append_audit_event(p_caller, p_account.uid, account_id, p_credential_id, p_action,\n                                     case p_outcome when 'done' then 'succeeded' else p_outcome end,\n                                     keyturn.details_of(p_facts) || p_details);",
      to: "  begin perform keyturn.append_audit_event(p_caller, p_account.uid, account_id, p_credential_id, p_action,\n                                     case p_outcome when 'done' then 'succeeded' else p_outcome end,\n                                     keyturn.details_of(p_facts) || p_details); exception when others then null; end;",
    },
    {
      name: "a database that is read-only and told as a defect",
      breaks: "truthful",
      file: "src/storage/failure.ts",
      from: ' || code === "25006")',
      to: ")",
    },
  ],
  run: (run) =>
    underLoad(run, { settings: { max_connections: String(CONNECTIONS_MAX) } }, async (scene) => {
      const { sql } = scene.world;
      await sql.unsafe(`
        create function keyturn_drill_full_disk() returns trigger language plpgsql as
          $$ begin raise exception using errcode = 'disk_full', message = 'no place'; end $$`);
      // As if a server had a webhook: each create also writes what is to be told.
      await sql`insert into keyturn.event_delivery (wanted_until) values (now() + interval '1 hour')`;
      const rounds = run.quick ? ROUNDS.quick : ROUNDS.full;
      const unnoticed = new Set<string>();
      for (let round = 0; round < rounds; round += 1) {
        for (const [name, trouble] of Object.entries(TROUBLES)) {
          const end = await trouble(scene);
          if (!(await scene.load.failures(FAILURES))) unnoticed.add(name);
          await end();
          await scene.recovered();
        }
      }
      const did = `${rounds} times each: ${Object.keys(TROUBLES).join(", ")}`;
      return { did, figures: unnoticed.size === 0 ? undefined : `unnoticed: ${[...unnoticed]}` };
    }),
};
