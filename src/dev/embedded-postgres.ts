/**
 * A real PostgreSQL for development and tests, run as a child of this process out of an npm package.
 * Installs no signal handler: the owner decides when to stop it. Never loaded in production.
 */
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { findPostgresBinaries, type PostgresBinaries } from "./postgres-binaries.ts";
import {
  type PostgresFolder,
  placePostgresFolder,
  preparePostgresFolder,
  SHARED_DIR,
} from "./postgres-folder.ts";
import { claimOwnership, endOrphan } from "./postgres-owner.ts";
import { freePort, HOST, logToFile, type Postmaster, spawnPostmaster, waitUntilReady } from "./postmaster.ts";

export interface EmbeddedPostgres {
  readonly host: typeof HOST;
  readonly port: number;
  readonly superuser: { readonly user: "postgres"; readonly password: string };
  /** Of the postmaster, which runs in a process group of its own. */
  readonly pid: number;
  /** The absolute data directory, which is not `dataDir` when the server's user could not enter that. */
  readonly location: string;
  url(options: { user: string; password: string; database: string }): string;
  /**
   * Fast shutdown; immediate, then SIGKILL, when that takes too long. Resolves once the server has ended, at
   * once when it ended before. While the server runs it keeps this process running.
   */
  stop(): Promise<void>;
  /** Resolves when the postmaster has ended, for whatever reason: its exit code, or null after a signal. */
  readonly exited: Promise<number | null>;
}

export interface EmbeddedPostgresOptions {
  /** Created when absent, mode 0700. The password, the log and the owner's pid are kept in files beside it. */
  readonly dataDir: string;
  /** The port to listen on; default: any free one. */
  readonly port?: number;
  /** More server settings. Those that keep the server private cannot be changed. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Receives the server's log; default: append it to a file beside the data, mode 0600. */
  readonly logLine?: (line: string) => void;
  /** The folder of the package with the programs; default: the one installed for this platform. */
  readonly packageDir?: string;
}

const START_TIMEOUT_MS = 60_000;
const RETRY_DELAY_MS = 100;
const RETRY_TIMEOUT_MS = 20_000;

/** Failures that pass: a port lost to somebody else, and processes that a killed postmaster left for a moment. */
const PASSING_FAILURE = /could not bind|pre-existing shared memory block|lock file "[^"]*" already exists/;

/**
 * Starts the server and resolves once it answers a query. Throws, with one line that says what to do, when
 * another living process uses the folder, when no program for this platform is installed, or when it does not start.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const folder = await placePostgresFolder(options.dataDir);
  const parent = dirname(folder.location);
  // Beside the data; one copy for all the folders that had to move.
  const home = dirname(parent) === SHARED_DIR ? SHARED_DIR : parent;
  const binaries = await findPostgresBinaries({
    account: folder.account,
    copiesDir: join(home, "binaries"),
    packageDir: options.packageDir,
  });
  const release = await claimOwnership(folder.sidecar("owner.pid"));
  try {
    const password = await preparePostgresFolder(folder, binaries);
    const postmaster = await startWithRetries({ folder, binaries, password, options });
    return embeddedPostgres({ folder, password, postmaster, release });
  } catch (err) {
    await release();
    throw err;
  }
}

async function startWithRetries(start: {
  folder: PostgresFolder;
  binaries: PostgresBinaries;
  password: string;
  options: EmbeddedPostgresOptions;
}): Promise<Postmaster> {
  const { folder, options } = start;
  const retryEnd = performance.now() + RETRY_TIMEOUT_MS;
  for (;;) {
    await endOrphan(folder.location);
    const port = options.port ?? (await freePort());
    const logLine = options.logLine ?? logToFile(folder.sidecar("log"));
    const postmaster = await spawnPostmaster({ ...start, port, settings: options.settings, logLine });
    const failure = await waitUntilReady(postmaster, {
      password: start.password,
      timeoutMs: START_TIMEOUT_MS,
    });
    if (failure === undefined) return postmaster;
    await postmaster.stop();
    if (!PASSING_FAILURE.test(failure) || performance.now() > retryEnd) {
      throw new Error(`PostgreSQL did not start on ${folder.location}: ${failure}`);
    }
    await delay(RETRY_DELAY_MS);
  }
}

function embeddedPostgres(parts: {
  folder: PostgresFolder;
  password: string;
  postmaster: Postmaster;
  release: () => Promise<void>;
}): EmbeddedPostgres {
  const { postmaster, password, release } = parts;
  // The folder is free once its server has ended, whoever ended it. A failure to say so is no news of the server.
  const exited = postmaster.exited.then(async (code) => {
    await release().catch(() => {});
    return code;
  });
  return {
    host: HOST,
    port: postmaster.port,
    superuser: { user: "postgres", password },
    pid: postmaster.pid,
    location: parts.folder.location,
    url: (to) => {
      const [user, secret, database] = [to.user, to.password, to.database].map(encodeURIComponent);
      return `postgres://${user}:${secret}@${HOST}:${postmaster.port}/${database}`;
    },
    stop: async () => {
      await postmaster.stop();
      await exited;
    },
    exited,
  };
}
