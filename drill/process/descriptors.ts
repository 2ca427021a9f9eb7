import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { ServerProcess } from "../../test/support/process.ts";
import type { Drill } from "../support/drill.ts";
import { underLoad } from "../support/under-load.ts";

const ROUNDS = { quick: 1, full: 10 };
/** Whoever comes takes what a lost connection has left. */
const SOCKETS = 64;
const FAILURES = 10;
const TRIES_MAX = 50;
const EVERY_MS = 100;
const LIMIT = 1_024;

export const drill: Drill = {
  title: "no file descriptor is left, and meanwhile every connection to the database is lost",
  invariants: ["kept", "explained", "gone", "audited", "truthful", "heard", "recovers", "released"],
  bugs: [
    {
      name: "a connection that finds no descriptor and is told as a defect",
      breaks: "truthful",
      file: "src/storage/failure.ts",
      from: 'notOpenedFault(err: unknown): FaultError {\n  return unavailable("database", RETRY_DELAY_MS, { cause: err });',
      to: 'notOpenedFault(err: unknown): FaultError {\n  return new FaultError({ kind: "internal" }, { cause: err });',
    },
  ],
  skip: () => {
    if (process.platform !== "linux") return "needs prlimit and /proc, which are Linux's";
    try {
      execFileSync("prlimit", ["--version"], { stdio: "ignore" });
      return undefined;
    } catch {
      return "needs prlimit";
    }
  },
  async run(run) {
    let server: ServerProcess | undefined;
    const onServer = (started: ServerProcess) => {
      server = started;
    };
    return underLoad(run, { onServer }, async ({ world, load, recovered }) => {
      const { pid, addresses } = server as ServerProcess;
      const rounds = run.quick ? ROUNDS.quick : ROUNDS.full;
      for (let round = 0; round < rounds; round += 1) {
        const limit = (soft: number) => execFileSync("prlimit", ["--pid", String(pid), `--nofile=${soft}:`]);
        limit(readdirSync(`/proc/${pid}/fd`).length);
        const failed = load.failed();
        for (let tries = 0; tries < TRIES_MAX && load.failed() < failed + FAILURES; tries += 1) {
          const sockets = Array.from({ length: SOCKETS }, () => opened(addresses.http));
          await world.sql`
            select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'keyturn'`;
          await delay(EVERY_MS);
          for (const socket of sockets) socket.destroy();
        }
        limit(LIMIT);
        await recovered();
      }
      return { did: `${rounds} times` };
    });
  },
};

function opened(address: string): Socket {
  const [host = "", port] = address.split(":");
  return connect({ host, port: Number(port) }).on("error", () => {});
}
