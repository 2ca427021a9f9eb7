import { givenOneAndTwo, verifyOverGrpc } from "../support/checks.ts";
import type { Target } from "../support/target.ts";
import { RATE, ratioRow } from "../support/turns.ts";

const LOAD = { connections: 8, callers: 64 };

/** What a second process brings on two cores. */
export const target: Target = {
  number: 16,
  title: "two workers against one process, 8 connections",
  quick: false,
  async run(bench) {
    const { one, two, checked } = await givenOneAndTwo(bench);
    const { workers, alone } = await bench.takeTurns({
      workers: verifyOverGrpc("two workers", two.pid, two.grpc, checked, LOAD),
      alone: verifyOverGrpc("one process", one.pid, one.grpc, checked, LOAD),
    });
    return [
      ratioRow(RATE, [workers, alone], {
        what: "VerifyCredential, gRPC, `--workers 2`",
        against: "one process",
        bound: { atLeast: 1.5 },
      }),
    ];
  },
};
