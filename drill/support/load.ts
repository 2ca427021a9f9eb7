import { setTimeout as delay } from "node:timers/promises";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { VerificationService } from "../../gen/keyturn/v1/verification_service_pb.ts";
import { auditFaults } from "../../test/support/audit.ts";
import type { GrpcFailure } from "../../test/support/clients.ts";
import { eventually } from "../../test/support/eventually.ts";
import type { Broken } from "./drill.ts";
import type { Rpc } from "./rpc.ts";
import type { World } from "./world.ts";

/** Creates and checks without a pause, and keeps the books of what each caller was told. */
export interface Load {
  /** Milliseconds from now until a create that begins from now on is acknowledged. */
  recovery(): Promise<number>;
  stop(): Promise<void>;
  tally(): Readonly<Record<string, number>>;
  /** Compares the books with what is there, from outside. */
  judge(): Promise<{ readonly lost: number; readonly broken: readonly Broken[] }>;
}

/** A database in trouble may be told as one of these, and as nothing else. */
const TRUTHFUL = new Set(["DATABASE_UNAVAILABLE", "OVERLOADED", "LOCK_TIMEOUT", "DEADLINE_EXCEEDED"]);
/** What a patient client waits after a failure. */
const PAUSE_MS = 10;

const isInDoubt = ({ reason, metadata }: GrpcFailure) =>
  reason === undefined || reason === "DEADLINE_EXCEEDED" || metadata["in_doubt"] === "true";

const CHECKED_MAX = 100;

/** Keeps at most so many of a list, from all over it. */
const everyNth =
  (max: number) =>
  (_: unknown, index: number, all: readonly unknown[]): boolean =>
    index % Math.ceil(all.length / max) === 0;

export function startLoad(world: World, rpc: Rpc, accounts: readonly string[], workers = 8): Load {
  const secrets = new Map<string, string>();
  const inDoubt = new Map<string, number>();
  const wrong = new Set<string>();
  const counts: Record<string, number> = {};
  let turn = 0;
  let isStopping = false;
  const count = (word: string) => {
    counts[word] = (counts[word] ?? 0) + 1;
  };

  const failed = (failure: GrpcFailure) => {
    count(`${failure.reason ?? `code ${failure.code}`}${isInDoubt(failure) ? " (in doubt)" : ""}`);
    if (!TRUTHFUL.has(failure.reason ?? ""))
      wrong.add(`${failure.code} ${failure.reason} ${failure.message}`);
  };
  const createOne = async (): Promise<boolean> => {
    const serviceAccountId = accounts[turn++ % accounts.length] as string;
    const token = await world.token();
    const answer = await rpc.call(CredentialService.method.createCredential, { serviceAccountId }, { token });
    if ("ok" in answer) {
      secrets.set(answer.ok.id, answer.ok.clientSecret);
      count("created");
      return true;
    }
    failed(answer.failure);
    if (isInDoubt(answer.failure)) inDoubt.set(serviceAccountId, (inDoubt.get(serviceAccountId) ?? 0) + 1);
    return false;
  };
  const holds = async (clientSecret: string): Promise<boolean | undefined> => {
    const token = await world.token();
    const answer = await rpc.call(VerificationService.method.verifyCredential, { clientSecret }, { token });
    if ("ok" in answer) return answer.ok.result.case === "principal";
    failed(answer.failure);
    return undefined;
  };
  const checkOne = async () => {
    const [id, secret] = [...secrets].at(-1 - (turn++ % 20)) ?? [];
    if (secret === undefined) return false;
    const isGood = await holds(secret);
    if (isGood) count("verified");
    if (isGood === false) wrong.add(`${id} was acknowledged and is refused`);
    return isGood !== undefined;
  };
  const loops = Array.from({ length: workers }, async (_, index) => {
    while (!isStopping) if (!(await (index % 4 === 3 ? checkOne() : createOne()))) await delay(PAUSE_MS);
  });

  return {
    async recovery() {
      const since = performance.now();
      await eventually(createOne);
      return performance.now() - since;
    },
    async stop() {
      isStopping = true;
      await Promise.all(loops);
    },
    tally: () => ({ ...counts }),
    async judge() {
      const broken: Broken[] = [...wrong]
        .slice(0, 5)
        .map((sentence) => ({ invariant: "truthful", sentence }));
      const rows = await world.sql<{ id: string; account: string }[]>`
        select id, service_account_id as account from keyturn.credentials
         where organization_id = ${world.organizationId}`;
      const present = new Set(rows.map(({ id }) => id));
      const missing = [...secrets.keys()].filter((id) => !present.has(id));
      let lost = missing.length;
      // All have to be there; that they verify costs a hash each, so that a sample has to do.
      const sample = [...secrets].filter(([id]) => present.has(id)).filter(everyNth(CHECKED_MAX));
      for (const [, secret] of sample) {
        // Once the database is well each has to be answered, sooner or later.
        const verdict = await eventually(async () => {
          const isGood = await holds(secret);
          return isGood === undefined ? undefined : isGood ? "good" : "refused";
        });
        if (verdict !== "good") lost += 1;
      }
      if (lost > 0) broken.push({ invariant: "kept", sentence: `${lost} of ${secrets.size} are lost` });
      const unknown = Map.groupBy(
        rows.filter(({ id }) => !secrets.has(id)),
        ({ account }) => account,
      );
      for (const [account, { length }] of unknown) {
        if (length > (inDoubt.get(account) ?? 0))
          broken.push({
            invariant: "explained",
            sentence: `${account} has ${length} that nobody was told of`,
          });
      }
      for (const sentence of (await auditFaults(world.sql, world.organizationId)).slice(0, 5))
        broken.push({ invariant: "audited", sentence });
      return { lost, broken };
    },
  };
}
