import { setTimeout as delay } from "node:timers/promises";
import type { DescMessage } from "@bufbuild/protobuf";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { startCluster, type TestCluster } from "../../test/support/cluster.ts";
import { eventually } from "../../test/support/eventually.ts";
import type { Broken, Drill } from "../support/drill.ts";
import { within } from "../support/pace.ts";
import type { Answer } from "../support/rpc.ts";
import { mountSmallDisk, noSmallDisk, type SmallDisk } from "../support/small-disk.ts";
import { supervise } from "../support/supervisor.ts";
import { type Scene, underLoad } from "../support/under-load.ts";
import { issue } from "../support/valid-callers.ts";
import type { World } from "../support/world.ts";

const ROUNDS = { quick: 1, full: 10 };
/** Longer than last uses are gathered: they find no place either. */
const FULL_MS = 4_000;
const EVERY_MS = 50;
const FAILURES = 10;
/** Far more than a database needs that is ended and started again. */
const PATIENCE_MS = 120_000;
const DISK_MIB = 256;
/** The database puts little by for its log. */
const SETTINGS = { min_wal_size: "32MB", max_wal_size: "64MB" };
const WAL_FILE = 16 * 1024 * 1024;
const USER_AGENT = "x".repeat(200);
/** What is left in the last file of the log: a few creates come to its end. */
const LEFT = 20_000;

export const drill: Drill = {
  title: "the disk of the database is full: for rows, and for its log, over which the database ends",
  invariants: ["kept", "explained", "gone", "audited", "truthful", "heard", "recovers", "released", "served"],
  bugs: [
    {
      name: "a disk without room that is told as a defect",
      breaks: "truthful",
      file: "src/storage/failure.ts",
      from: "if (/^(53|57|58)/.test(code)",
      to: "if (/^(57|58)/.test(code)",
    },
    {
      name: "a last use without room that ends the server",
      breaks: "recovers",
      file: "src/storage/usage-recorder.ts",
      from: "flush().catch(options.onError)",
      to: "void flush()",
    },
    {
      name: "uses that are forgotten where there is no room for them",
      breaks: "recovers",
      file: "src/storage/usage-recorder.ts",
      from: "gathered.set(uses.credentialId, merged(uses, gathered.get(uses.credentialId)));",
      to: "merged(uses, gathered.get(uses.credentialId));",
    },
    {
      name: "a check that waits for its last use to be written",
      breaks: "served",
      file: "src/service/check-secret.ts",
      from: "    deps.usage.used(principal, presented);\n",
      to: '    deps.usage.used(principal, presented);\n    await deps.usage["flush"]();\n',
    },
  ],
  skip: noSmallDisk,
  async run(run) {
    using disk = mountSmallDisk(DISK_MIB);
    const cluster = await startCluster(SETTINGS, disk.path);
    // The disk is there until all on it has ended.
    return await underLoad(run, { database: cluster }, async (scene) => {
      const database = supervise(cluster, scene.world.sql);
      scene.world.later(database.stop);
      scene.world.later(disk.free);
      const broken: Broken[] = [];
      const rounds = run.quick ? ROUNDS.quick : ROUNDS.full;
      for (let round = 0; round < rounds; round += 1) {
        await whileFull(scene, disk, () => untilPanic(scene, cluster));
        broken.push(...(await withoutRoom(scene, disk, cluster)));
      }
      return {
        did: `${2 * rounds} times full; ${panicsOf(cluster)} times the database ended over its log`,
        broken,
        figures: `started again ${database.starts()} times`,
      };
    });
  },
};

/** Fills the disk, keeps it full for as long as `meanwhile` takes, and frees it. */
async function whileFull<T>(
  { world, recovered }: Scene,
  disk: SmallDisk,
  meanwhile: () => Promise<T>,
): Promise<T> {
  disk.fill();
  // The database itself gives room back now and then.
  const filling = setInterval(disk.fill, EVERY_MS);
  let found: T;
  try {
    found = await meanwhile();
  } finally {
    clearInterval(filling);
    disk.free();
  }
  if (!(await within(PATIENCE_MS, () => world.sql`select`.then(...isDone))))
    throw new Error("the database has not come back");
  await recovered();
  return found;
}

const isDone = [() => true, () => false] as const;

const panicsOf = (cluster: TestCluster): number => cluster.log().split("PANIC:").length - 1;

/** Uses up what the database has put by for its log, and most of the last file, whose end the load then comes to. */
async function untilPanic({ world: { sql } }: Scene, cluster: TestCluster): Promise<void> {
  const before = panicsOf(cluster);
  const step = async () => {
    const [{ spare, left } = { spare: 0, left: 0 }] = await sql<{ spare: number; left: number }[]>`
      select (select count(*)::int from pg_ls_waldir() where name > pg_walfile_name(lsn)) as spare,
             (${WAL_FILE} - (lsn - '0/0') % ${WAL_FILE})::int as left
        from pg_current_wal_insert_lsn() lsn`;
    if (spare > 0) await sql`select pg_switch_wal() from pg_logical_emit_message(false, 'drill', '')`;
    else if (left > LEFT)
      await sql`select pg_logical_emit_message(false, 'drill', repeat('x', ${left - LEFT}))`;
  };
  await eventually(async () => {
    await step().catch(() => {});
    return panicsOf(cluster) > before;
  });
  await delay(FULL_MS);
}

const wordOf = (answer: Answer<DescMessage>) =>
  "failure" in answer ? (answer.failure.reason ?? `code ${answer.failure.code}`) : "refused";

/** Leaves no room in what the table of last uses has already: with rows of nobody's, each of which is smaller than a real one. */
async function fillUses({ sql }: World): Promise<void> {
  // Of no credential either.
  await sql`set session_replication_role = replica`.catch(() => {});
  const hasRoom = () =>
    sql`
      insert into keyturn.credential_usage (organization_id, service_account_id, credential_id, last_used_user_agent)
      values ('', '', gen_random_uuid(), ${USER_AGENT})`.then(...isDone);
  while (await hasRoom());
  await sql`reset session_replication_role`.catch(() => {});
}

/** What writes fails. A check does not, for its last use waits until there is room. */
async function withoutRoom(scene: Scene, disk: SmallDisk, cluster: TestCluster): Promise<Broken[]> {
  const { world, rpc, load } = scene;
  const before = panicsOf(cluster);
  const broken: Broken[] = [];
  const clientSecret = await eventually(() => issue(world, rpc).catch(() => undefined));
  const asked = { clientSecret, userAgent: USER_AGENT };
  const { verifyCredential } = VerificationService.method;
  let [uses, id] = [0, ""];
  await whileFull(scene, disk, async () => {
    if (!(await load.failures(FAILURES))) throw new Error("nobody noticed that the disk is full");
    await fillUses(world);
    const until = performance.now() + FULL_MS;
    while (performance.now() < until) {
      const answer = await rpc.call(verifyCredential, asked, { token: await world.token() });
      const result = "ok" in answer ? answer.ok.result : undefined;
      if (result?.case === "principal") [uses, id] = [uses + 1, result.value.credentialId];
      // A database that has ended answers no question either.
      else if (panicsOf(cluster) === before)
        broken.push({ invariant: "served", sentence: `a check on a full disk: ${wordOf(answer)}` });
      await delay(EVERY_MS);
    }
  });
  await world.sql`delete from keyturn.credential_usage where organization_id = ''`;
  const isWritten = async () => {
    const [row] = await world.sql<{ count: number }[]>`
      select use_count::int as count from keyturn.credential_usage where credential_id = ${id}`.catch(
      () => [],
    );
    return (row?.count ?? 0) >= uses;
  };
  if (!(await eventually(isWritten).catch(() => false)))
    broken.push({
      invariant: "recovers",
      sentence: `of ${uses} uses on a full disk not all are written down`,
    });
  return broken.slice(0, 5);
}
