import { CREDENTIALS, givenOneAndTwo, verifyOverGrpc } from "../support/checks.ts";
import { startOidcProvider, withoutPeers } from "../support/peers.ts";
import type { Target } from "../support/target.ts";
import { mintTokens } from "../support/tokens.ts";
import { PER_CORE, RATE, ratioRow, SERVER_CPU } from "../support/turns.ts";

/** A check over gRPC against what gRPC itself costs, and against a token that another provider mints. */
export const target: Target = {
  number: 7,
  title: "VerifyCredential over gRPC, warm",
  quick: false,
  skip: withoutPeers,
  async run(bench) {
    const { one, two, checked } = await givenOneAndTwo(bench);
    const echoAt = async (file: string) => {
      const server = bench.start([process.execPath, file], {});
      const { address } = await server.line<{ address: string }>((line) => "address" in line);
      return verifyOverGrpc(file, server.pid, address, checked);
    };
    const rounds = await bench.takeTurns({
      verify: verifyOverGrpc("VerifyCredential", one.pid, one.grpc, checked),
      workers: verifyOverGrpc("VerifyCredential, two workers", two.pid, two.grpc, checked),
      bare: await echoAt("bench/bare-echo-server.ts"),
      echo: await echoAt("bench/echo-server.ts"),
      oidc: await mintTokens("oidc-provider tokens", await startOidcProvider(bench, CREDENTIALS)),
    });
    const { verify, workers, bare, echo, oidc } = rounds;
    const one_ = "VerifyCredential, gRPC";
    const tokens = "oidc-provider's tokens, 16 connections";
    return [
      ratioRow(PER_CORE, [verify, bare], {
        what: one_,
        against: "a bare grpc-js echo",
        bound: { atLeast: 0.55 },
      }),
      ratioRow(SERVER_CPU, [verify, echo], {
        what: one_,
        against: "an echo behind the same interceptors",
        bound: { atMost: 1.6 },
      }),
      ratioRow(RATE, [verify, oidc], { what: one_, against: tokens, bound: { atLeast: 2.5 } }),
      ratioRow(RATE, [workers, oidc], {
        what: "VerifyCredential, gRPC, `--workers 2`",
        against: tokens,
        bound: { atLeast: 2.5 },
      }),
      ratioRow(RATE, [echo, oidc], {
        what: "the limit: the echo behind the same interceptors",
        against: tokens,
      }),
      ratioRow(RATE, [bare, oidc], { what: "the limit: the bare grpc-js echo", against: tokens }),
    ];
  },
};
