import { execFile } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startCollector, type TestCollector } from "../../test/observability/collector.ts";
import type { ServerProcess } from "../../test/support/process.ts";
import { searchFor } from "../../test/support/secret-search.ts";
import {
  startWebhookReceiver,
  type WebhookReceiver,
  webhookSecret,
} from "../../test/support/webhook-receiver.ts";
import { type Canaries, heapOf, useEverything } from "../support/canaries.ts";
import { copyCheckout, lendPackages } from "../support/checkout.ts";
import { CORE_BYTES_MAX, coreOf } from "../support/core-file.ts";
import type { Broken, Drill } from "../support/drill.ts";
import { within } from "../support/pace.ts";
import { givenWorld, type World } from "../support/world.ts";

/** What the last call has left where V8 keeps the last text that a regular expression has met. */
const LIVING_MAX = 2;
const CREDENTIALS = { quick: 20, full: 500 };

export const drill: Drill = {
  title:
    "secrets, tokens and idempotency keys are looked for wherever the service and its database write or send, in its heap and in its core file",
  invariants: ["silent"],
  bugs: [
    {
      name: "the log says the secret in the place of its id",
      breaks: "silent",
      file: "src/service/check-secret.ts",
      from: "  asked.tell({ credentialId, ",
      to: "  asked.tell({ credentialId: asked.secret, ",
    },
    {
      name: "a secret that was right is remembered as it is",
      breaks: "silent",
      file: "src/auth/verified-secrets.ts",
      from: "const nameOf = (secret: string) => hmacSha256(key, secret);",
      to: "const nameOf = (secret: string) => secret;",
    },
    {
      name: "an event says the hash of the secret",
      breaks: "silent",
      file: "src/storage/functions/event_data.sql",
      from: "    'roles', p_facts",
      to: "    'hash', (select max(c.secret_hash) from keyturn.credentials c),\n    'roles', p_facts",
    },
    {
      name: "a span says which token is looked at",
      breaks: "silent",
      file: "src/rpc/interceptors/authenticate.ts",
      from: 'child("authenticate", "internal")',
      to: 'child("authenticate", "internal", { "keyturn.inner": call.header("authorization") ?? "" })',
    },
    {
      name: "a server whose memory is in its core file",
      breaks: "silent",
      file: "src/core-files.ts",
      from: 'const NOTHING = "0";',
      to: 'const NOTHING = "0x33";',
    },
  ],
  async run(run) {
    // Where the server runs, its core file is written.
    using copy = copyCheckout(run.root);
    lendPackages(copy.root);
    const folder = mkdtempSync(join(tmpdir(), "keyturn-heap-"));
    try {
      await using world = await givenWorld(run, {
        settings: { log_statement: "all", log_error_verbosity: "verbose" },
      });
      const receivers = { collector: await startCollector(), webhook: await startWebhookReceiver() };
      world.later(receivers.collector.stop);
      world.later(receivers.webhook.stop);
      const server = await world.serve(
        {
          LOG_LEVEL: "trace",
          OTEL_EXPORTER_OTLP_ENDPOINT: receivers.collector.url,
          KEYTURN_WEBHOOK_URL: receivers.webhook.url,
          KEYTURN_WEBHOOK_SECRETS: webhookSecret(),
          NODE_OPTIONS: `--heapsnapshot-signal=SIGUSR2 --diagnostic-dir=${folder}`,
        },
        copy.root,
      );
      const canaries = await useEverything(world, server, run.quick ? CREDENTIALS.quick : CREDENTIALS.full);
      const { broken, places, search } = await searchAll(world, server, canaries, receivers, folder);
      const core = await coreOf(server, copy.root);
      if (core !== undefined) {
        places.push(`its core file (${Math.ceil(core.bytes / 1024)} KiB)`);
        const mebibytes = Math.round(core.bytes / 2 ** 20);
        if (core.bytes > CORE_BYTES_MAX)
          broken.push({ invariant: "silent", sentence: `the core file has ${mebibytes} MiB of memory` });
        for (const what of search.find(core.text))
          broken.push({ invariant: "silent", sentence: `the core file: ${what}` });
      }
      return {
        did: `${canaries.secrets.length} secrets, ${canaries.tokens.length} tokens and ${canaries.requestIds.length} idempotency keys at every door`,
        broken,
        figures: `searched: ${places.join(", ")}`,
      };
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};

/** Whoever the service tells of what happens. */
interface Receivers {
  readonly collector: TestCollector;
  readonly webhook: WebhookReceiver;
}

const ARRIVAL_MS_MAX = 60_000;

async function searchAll(
  world: World,
  server: ServerProcess,
  canaries: Canaries,
  { collector, webhook }: Receivers,
  folder: string,
) {
  const broken: Broken[] = [];
  const places: string[] = [];
  // The ids of credentials are public; of tokens the signature is what nobody else has.
  const search = searchFor([
    ...canaries.secrets.map((secret) => secret.slice(-60)),
    ...canaries.tokens.map((token) => token.split(".")[2] ?? ""),
    ...canaries.requestIds,
  ]);
  const look = (place: string, text: string, mayHoldHashes = false) => {
    places.push(`${place} (${Math.ceil(text.length / 1024)} KiB)`);
    const hashes = !mayHoldHashes && text.includes("$argon2id$") ? ["a hash"] : [];
    for (const what of [...search.find(text), ...hashes].slice(0, 3))
      broken.push({ invariant: "silent", sentence: `${place}: ${what}` });
  };
  const eventsLeft = () => world.sql`select from keyturn.events limit 1`;
  const isAllSent = await within(ARRIVAL_MS_MAX, async () => (await eventsLeft()).length === 0);
  // Of each of these calls there is one at least, and of each create or rotate.
  if (!isAllSent || webhook.accepted.length < canaries.secrets.length)
    broken.push({ invariant: "silent", sentence: `only ${webhook.accepted.length} events have arrived` });
  if (!(await within(ARRIVAL_MS_MAX, () => collector.spans().length > canaries.secrets.length)))
    broken.push({ invariant: "silent", sentence: `only ${collector.spans().length} spans have arrived` });
  look(`${webhook.received.length} deliveries to the webhook`, JSON.stringify(webhook.received));
  look(`${collector.spans().length} spans`, collector.posted());
  await world.sql`checkpoint`;
  look("the log", server.output());
  look("metrics", await (await fetch(`http://${server.addresses.admin}/metrics`)).text());
  look("answers", canaries.answers.join("\n"));
  look("the log of PostgreSQL", world.cluster.log());
  const tables = await world.sql<{ name: string }[]>`
    select quote_ident(schemaname) || '.' || quote_ident(tablename) as name from pg_tables where schemaname = 'keyturn'`;
  for (const { name } of tables) {
    const rows = await world.sql.unsafe(`select one::text as row from ${name} one`);
    look(name.replace("keyturn.", ""), rows.map(({ row }) => row).join("\n"), name === "keyturn.credentials");
  }
  // Hashes are in the table of credentials, and so in its files, its dump and the log of changes.
  const [row] = await world.sql<{ folder: string; id: string }[]>`
    select current_setting('data_directory') as folder, oid::text as id
      from pg_database where datname = current_database()`;
  for (const pattern of ["pg_wal/0*", `base/${row?.id}/[1-9]*`]) {
    const files = globSync(join(row?.folder ?? "", pattern));
    look(
      pattern.split("/", 1)[0] as string,
      files.map((file) => readFileSync(file, "latin1")).join("\n"),
      true,
    );
  }
  const dump = promisify(execFile)("pg_dump", [world.cluster.superuserUrl], { maxBuffer: 1e9 });
  const dumped = await dump.then(
    ({ stdout }) => stdout,
    () => undefined,
  );
  if (dumped !== undefined) look("pg_dump", dumped, true);
  const heap = await heapOf(server, folder);
  places.push(`the heap (${Math.ceil(heap.length / 1024)} KiB)`);
  const living = [
    ...canaries.secrets.map((secret) => secret.slice(-60)),
    ...canaries.tokens,
    ...canaries.requestIds,
  ].filter((canary) => heap.includes(canary));
  if (living.length > LIVING_MAX)
    broken.push({ invariant: "silent", sentence: `the heap: ${living.length} of what was handed out` });
  return { broken, places, search };
}
