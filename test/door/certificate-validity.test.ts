import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { openTlsOf } from "../../src/doors.ts";
import { selfSigned } from "../support/certificate.ts";
import { eventually } from "../support/eventually.ts";
import { givenTls } from "../support/given-tls.ts";

const DAY_MS = 86_400_000;
const LIMIT = { timeout: 60_000 };

/** TLS of a door whose certificate holds for ten days, and whose clock can be put forward. */
async function given(t: TestContext) {
  let aheadMs = 0;
  const tls = await givenTls("none", () => Date.now() + aheadMs);
  t.after(() => tls.stop());
  const told = (outcome: string) => eventually(() => outcomesOf(tls.events).includes(outcome));
  const good = tls.servers.issue({ expiresAtMs: Date.now() + 10 * DAY_MS });
  tls.write(good);
  await told("loaded");
  return {
    tls,
    good,
    told,
    forward: (days: number) => {
      aheadMs = days * DAY_MS;
    },
  };
}

/** Between the two files of a new certificate there may be a look at which they do not fit. */
const outcomesOf = (events: Awaited<ReturnType<typeof givenTls>>["events"]): string[] =>
  events
    .map(({ kind, problem }) => (problem === undefined ? kind : `${kind} ${problem}`))
    .filter((outcome) => !outcome.includes("MISMATCH"));

test(
  "a certificate that has expired does not take the place of one that holds, and is told of once",
  LIMIT,
  async (t) => {
    const { tls, good, told } = await given(t);
    const expired = tls.servers.issue({ expiresAtMs: Date.now() - DAY_MS });
    tls.write(expired);
    await told("refused expired");
    assert.equal(tls.tls.current().cert, good.cert);
    tls.write(tls.servers.issue());
    await eventually(() => tls.tls.current().cert !== good.cert);
    assert.deepEqual(outcomesOf(tls.events), ["opened", "loaded", "refused expired", "loaded"]);
  },
);

test(
  "a certificate of tomorrow waits for its time, and is then taken from the same files",
  LIMIT,
  async (t) => {
    const { tls, good, told, forward } = await given(t);
    const early = selfSigned(Date.now() + 2 * DAY_MS);
    tls.write(early);
    await told("refused not_yet_valid");
    assert.equal(tls.tls.current().cert, good.cert);
    forward(2);
    await eventually(() => tls.tls.current().cert === early.cert);
    assert.deepEqual(outcomesOf(tls.events), ["opened", "loaded", "refused not_yet_valid", "loaded"]);
  },
);

test(
  "once the one before has expired too, the newest is taken, and told of as what it is",
  LIMIT,
  async (t) => {
    const { tls, told, forward } = await given(t);
    const expired = tls.servers.issue({ expiresAtMs: Date.now() - DAY_MS });
    tls.write(expired);
    await told("refused expired");
    forward(11);
    await told("loaded expired");
    assert.equal(tls.tls.current().cert, expired.cert);
  },
);

test("a start with a certificate that does not hold is a warning in the log, and one that does is none", async (t) => {
  const { servers, files, write, stop } = await givenTls();
  t.after(stop);
  const lines: unknown[] = [];
  const open = async () => {
    const tls = await openTlsOf("grpc", {
      config: { tls: { grpc: files }, certificateReloadMs: DAY_MS } as never,
      metrics: { certificate: () => {} } as never,
      log: { event: (...line: unknown[]) => lines.push(line) } as never,
    });
    tls?.stop();
  };
  await open();
  assert.deepEqual(lines, []);
  const expiresAtMs = Math.floor(Date.now() / 1000) * 1000 - DAY_MS;
  write(servers.issue({ expiresAtMs }));
  await open();
  const expires_at = new Date(expiresAtMs).toISOString();
  assert.deepEqual(lines, [["warn", "certificate opened", { door: "grpc", expires_at, problem: "expired" }]]);
});
