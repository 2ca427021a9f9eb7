import { readdirSync } from "node:fs";
import { givenAccount } from "../../test/support/database.ts";
import { memoryOf } from "../../test/support/memory.ts";
import type { Broken, Drill, Invariant } from "../support/drill.ts";
import { carryOutFlood, floods } from "../support/floods.ts";
import { within } from "../support/pace.ts";
import { defectsIn } from "../support/telling.ts";
import { startValidCallers } from "../support/valid-callers.ts";
import { givenWorld } from "../support/world.ts";

/** At least so long, and until as many good calls have been answered meanwhile: a busy machine takes its time. */
const DURATION_MS = { quick: 300, full: 10_000 };
const GOOD_CALLS = 12;
const STANDSTILL_MS = 40_000;
const GROWTH_MIB_MAX = 300;
const RELEASED_MS_MAX = 30_000;
/** Where others use the machine too some calls miss their deadline; a flood that holds up callers lets most of them. */
const isLate = (failure: string) => /^(code 4|DEADLINE_EXCEEDED)$/.test(failure);

export const drill: Drill = {
  title: "floods of frames, streams, slow requests and gzip bombs beside those who behave",
  invariants: ["standing", "bounded", "served"],
  bugs: [
    {
      name: "what is unpacked has no bound and stays for a while",
      breaks: "bounded",
      file: "src/door/grpc-message.ts",
      from: "return unpacker(message, { maxOutputLength: bytesMax });",
      to: "const unpacked = unpacker(message); setTimeout(() => unpacked, 60_000); return unpacked;",
    },
    {
      name: "a call that is taken back takes its time",
      breaks: "served",
      file: "src/door/grpc-calls.ts",
      from: 'stream.once("close", call.abandon);',
      to: 'stream.once("aborted", () => { const at = performance.now(); while (performance.now() < at + 10); });',
    },
    {
      name: "the failure of a connection ends the server",
      breaks: "standing",
      file: "src/door/http2-server.ts",
      from: '    keep(http2, "session", sessions);\n',
      to: '    keep(http2, "session", sessions);\n    http2.on("sessionError", (err) => { throw err; });\n',
    },
  ],
  async run(run) {
    await using world = await givenWorld(run);
    const server = await world.serve();
    const broken: Broken[] = [];
    const say = (invariant: Invariant, sentence: string) => void broken.push({ invariant, sentence });
    const callers = await startValidCallers(world, server.addresses.grpc);
    const memory = memoryOf(server.pid);
    const connections = () =>
      process.platform === "linux" ? readdirSync(`/proc/${server.pid}/fd`).length : 0;
    // Of another organization than that of those who behave.
    const { organizationId } = await givenAccount(world.sql);
    const token = await world.issuer.sign({ claims: { tenant_id: organizationId, roles: ["admin"] } });
    const [before, connectionsBefore] = [memory?.now() ?? 0, connections()];
    let [calls, worst, bytes, cuts] = [0, 0, 0, 0];
    let highest = { mib: 0, name: "" };
    const all = floods(token);
    for (const flood of all) {
      memory?.forget();
      const address = server.addresses[flood.door];
      const [since, answered] = [performance.now(), callers.answered()];
      const isOver = () => {
        const took = performance.now() - since;
        const isServed = callers.answered() - answered >= GOOD_CALLS;
        return (
          took > STANDSTILL_MS ||
          (took > Math.max(run.quick ? DURATION_MS.quick : DURATION_MS.full, flood.msMin ?? 0) && isServed)
        );
      };
      const flooded = await carryOutFlood(flood, address, isOver);
      const standsStill = callers.answered() - answered < GOOD_CALLS;
      if (standsStill) say("served", `${flood.name}: good calls stand still`);
      bytes += flooded.sentBytes;
      cuts += flooded.cuts;
      const met = callers.taken();
      calls += met.calls;
      worst = Math.max(worst, met.p99Ms);
      const late = met.failures.filter(isLate).length;
      for (const failure of new Set(met.failures))
        if (!isLate(failure) || 2 * late > met.calls) say("served", `${flood.name}: ${failure}`);
      if (!server.isRunning()) {
        say("standing", `${flood.name}: the server ended`);
        break;
      }
      const mib = (memory?.peak() ?? 0) - before;
      if (mib > highest.mib) highest = { mib, name: flood.name };
      if (mib > GROWTH_MIB_MAX) say("bounded", `${flood.name}: memory grew by ${mib} MiB`);
      if (standsStill) break;
    }
    if (server.isRunning()) {
      const isReleased = await within(RELEASED_MS_MAX, () => connections() <= connectionsBefore + 10);
      if (!isReleased)
        say("bounded", `${connections()} files are open afterwards, ${connectionsBefore} before`);
      await callers.stop();
      const { calls: last, failures } = callers.taken();
      for (const failure of new Set(failures.filter((each) => !isLate(each))))
        say("served", `afterwards: ${failure}`);
      calls += last;
    }
    for (const line of defectsIn(server.output()).slice(0, 5)) say("standing", line.slice(0, 300));
    return {
      did: `${all.length} floods, ${Math.round(bytes / 2 ** 20)} MiB sent`,
      broken,
      figures: `${calls} good calls, p99 ${worst} ms in the worst flood; memory +${highest.mib} MiB at most (${highest.name}); ${cuts} connections cut`,
    };
  },
};
