import { startCluster, type TestCluster } from "../../test/support/cluster.ts";
import type { Drill, DrillResult, Invariant } from "../support/drill.ts";
import { checkOutPreviousSources, lacksPreviousSources, migrationsOf } from "../support/previous-sources.ts";
import type { SeededBug } from "../support/seeded-bug.ts";
import { type OldDatabase, upgradeAndBack } from "../support/upgrade.ts";

const UPGRADES = { quick: 1, full: 10 };
/** A migration of a release to come, in the midst of the script of `migrate`. */
const migration = (name: string, breaks: Invariant, sql: string): SeededBug => ({
  name,
  breaks,
  file: "src/storage/migrate.ts",
  from: "...pendingMigrations(seen),",
  to: `...pendingMigrations(seen), ${JSON.stringify(sql)},`,
});

export const drill: Drill = {
  title: "the release before serves while its database is migrated, beside this one, and again after it",
  invariants: ["kept", "explained", "gone", "audited", "truthful", "heard", "exchangeable"],
  bugs: [
    migration(
      "a migration that takes what is there for leaked",
      "kept",
      "update keyturn.credentials set leaked_at = created_at;",
    ),
    {
      name: "requests that are named otherwise, so that a repetition is another one",
      breaks: "explained",
      file: "src/auth/replay-seal.ts",
      from: '"keyturn replay request hash 1"',
      to: '"keyturn replay request hash 2"',
    },
    {
      name: "new functions that do not know what was deleted",
      breaks: "gone",
      file: "src/storage/functions/credential_checks.sql",
      from: "when c.deleted_at is not null then 'deleted'",
      to: "when false then 'deleted'",
    },
    {
      name: "rows of the trail that are hashed otherwise",
      breaks: "audited",
      file: "src/storage/functions/audit_event_hash.sql",
      from: "p_event.sequence,",
      to: "p_event.sequence + 1,",
    },
    migration(
      "a migration that renames a column",
      "truthful",
      "alter table keyturn.replays rename column body_hash to content_hash;",
    ),
    {
      name: "keys that are derived otherwise",
      breaks: "exchangeable",
      file: "src/auth/root-keys.ts",
      from: '"keyturn signing key seal"',
      to: '"keyturn signing key seal 2"',
    },
    {
      name: "grants that take away what the release before looks at",
      breaks: "exchangeable",
      file: "src/storage/grants.sql",
      from: "grant execute on function",
      to: "revoke select on keyturn.migrations from keyturn_app;\ngrant execute on function",
    },
  ],
  skip: () => (process.platform === "win32" ? "needs the signals of POSIX" : lacksPreviousSources()),
  async run(run) {
    using previous = checkOutPreviousSources();
    const cluster = await startCluster({ max_connections: "200" });
    try {
      const upgrades = run.quick ? UPGRADES.quick : UPGRADES.full;
      const results: DrillResult[] = [];
      for (let upgrade = 0; upgrade < upgrades; upgrade += 1)
        results.push(await upgradeAndBack(run, previous, await givenDatabase(cluster, `upgrade_${upgrade}`)));
      const recoveries = results.flatMap(({ worstRecoveryMs }) => worstRecoveryMs ?? []);
      return {
        did: `${upgrades} upgrades from ${previous.commit} (${migrationsOf(previous.root)} migrations of ${migrationsOf(run.root)}), back and forth again`,
        lost: results.reduce((sum, { lost = 0 }) => sum + lost, 0),
        ...(recoveries.length === 0 ? {} : { worstRecoveryMs: Math.max(...recoveries) }),
        broken: results.flatMap(({ broken }) => broken),
        figures: results.at(-1)?.figures ?? "",
      };
    } finally {
      await cluster.stop();
    }
  },
};

/** Beside the cluster's own database, which has the newest schema. */
async function givenDatabase(cluster: TestCluster, name: string): Promise<OldDatabase> {
  const admin = cluster.connect();
  await admin.unsafe(`create database ${name} owner keyturn_owner`);
  await admin.end();
  const named = (url: string) => Object.assign(new URL(url), { pathname: `/${name}` }).href;
  return {
    ownerUrl: named(cluster.ownerUrl),
    serverUrl: named(cluster.serverUrl),
    connect: () => cluster.connect(name),
    stop: async () => {},
  };
}
