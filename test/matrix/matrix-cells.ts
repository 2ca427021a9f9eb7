import assert from "node:assert/strict";
import { create, type DescMessage, type DescMethodUnary, type MessageInitShape } from "@bufbuild/protobuf";
import type { AnyAnswer, AnyCall, AnyDoor } from "../support/any-rpc.ts";
import { unreadableRequest } from "./malformed-request.ts";
import { CALLERS, type CallerName, type Named, namedBy, type Target, type World } from "./matrix-callers.ts";
import type { Row } from "./matrix-row.ts";
import { isBarred, MALFORMED, type Verdict } from "./matrix-verdicts.ts";

/** One caller who calls one RPC in one way and names one thing. */
export interface Cell {
  readonly caller: CallerName;
  /** Tells the ask, the caller and the target. */
  readonly requestId: string;
  /** Without its number of the ask: cells of one group must not be told apart by a caller without the right. */
  readonly group: string;
  readonly target: Target | "malformed" | "unreadable";
  readonly method: DescMethodUnary;
  readonly init: MessageInitShape<DescMessage>;
  readonly named: Named;
  readonly verdict: Verdict;
}

const TOO_LONG = "N".repeat(64);
const NO_IDS: Named = { account: TOO_LONG, credential: TOO_LONG };

/** Every cell of a row. */
export function cellsOf(method: DescMethodUnary, row: Row, { callers }: World): Cell[] {
  return row.asks.flatMap(({ request, answers }, number) =>
    CALLERS.flatMap((caller) => {
      const verdicts = Object.entries(answers[caller]) as [Target, Verdict][];
      const asked = Object.keys(answers.administrator);
      return verdicts
        .filter(([target]) => asked.includes(target))
        .map(([target, verdict]): Cell => {
          const named = namedBy(callers[caller], target);
          const group = `${number}.${caller}`;
          const requestId = `${group}.${target}`;
          return { caller, requestId, group, target, method, init: request(named), named, verdict };
        });
    }),
  );
}

/** What no caller may be told to be malformed before it is known that he may call. */
export function malformedCellsOf(method: DescMethodUnary, row: Row, { callers }: World): Cell[] {
  return row.asks.flatMap(({ request, answers }, number) => {
    const isNaming = "foreign" in answers.administrator;
    return (["anonymous", "member", "administrator"] as const).flatMap((caller) => {
      const cell = (target: "malformed" | "unreadable", named: Named): Cell => {
        const group = `${number}.${caller}`;
        const verdict = isBarred(answers[caller].own) ? answers[caller].own : MALFORMED;
        const requestId = `${group}.${target}`;
        return { caller, requestId, group, target, method, init: request(named), named, verdict };
      };
      const own = namedBy(callers[caller], "own");
      return isNaming ? [cell("malformed", NO_IDS), cell("unreadable", own)] : [cell("unreadable", own)];
    });
  });
}

/** Every check, and nothing written: what is allowed is answered 200, as nothing is created and nothing gone. */
export const dryRunOf = (cell: Cell): Cell => ({
  ...cell,
  requestId: `${cell.requestId}.dry`,
  init: { ...cell.init, validateOnly: true } as MessageInitShape<DescMessage>,
  verdict: isAllowed(cell) ? { ...cell.verdict, restStatus: 200 } : cell.verdict,
});

export const isAllowed = ({ verdict }: Cell): boolean => verdict.code === 0;

/** Calls, and holds the answer against the verdict. */
export async function play(door: AnyDoor, cell: Cell, world: World): Promise<AnyAnswer> {
  const answer = await door.call(callOf(cell, world));
  const { verdict, requestId } = cell;
  const heard = `${door.name} ${requestId}: ${answer.wire}`;
  assert.equal(answer.reason, verdict.reason, heard);
  assert.equal(answer.code, door.name === "REST" ? undefined : verdict.code, heard);
  assert.equal(answer.restStatus, door.name === "REST" ? verdict.restStatus : undefined, heard);
  assert.deepEqual(resourceOf(answer), resourceToldBy(cell, world), heard);
  assert.equal(answer.requestId, requestId, heard);
  const organizations = answer.wire.match(/org-[0-9a-f]{16}/g) ?? [];
  assert.deepEqual(
    [...new Set(organizations)].filter((id) => id !== toldOf(cell, world)),
    [],
    heard,
  );
  return answer;
}

function callOf({ method, init, requestId, caller, target }: Cell, { callers }: World): AnyCall {
  const sent =
    target === "unreadable"
      ? unreadableRequest(method, init)
      : { method, message: create(method.input, init) };
  return { ...sent, token: callers[caller].token, requestId };
}

function resourceOf({ details }: AnyAnswer): readonly [type: unknown, name: unknown] {
  const info = details.find((detail) => detail["@type"].endsWith("google.rpc.ResourceInfo"));
  return [info?.["resourceType"], info?.["resourceName"]];
}

/** What is not there is named as it was asked for, and what is hidden is not named at all. */
function resourceToldBy({ caller, named, verdict }: Cell, { callers }: World): ReturnType<typeof resourceOf> {
  const names: Readonly<Record<string, string>> = {
    "keyturn.dev/ServiceAccount": named.account,
    "keyturn.dev/Credential": named.credential,
    "keyturn.dev/Organization": callers[caller].home.organizationId,
  };
  const { resource, outcome } = verdict;
  const isNamed = resource !== undefined && outcome !== "permission_denied";
  return [resource, isNamed ? names[resource] : undefined];
}

/** The organization whose rows, which all bear its id, the caller may be shown; none before he is admitted. */
function toldOf({ caller, verdict }: Cell, { callers }: World): string | undefined {
  const isAdmitted = verdict.code === 0 || verdict.outcome === "not_found";
  return isAdmitted ? callers[caller].home.organizationId : undefined;
}
