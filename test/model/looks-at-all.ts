/** What is about all accounts at once, and so has no place in the chain of any. */
import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";
import type { Call } from "./clients.ts";
import type { Etags } from "./etags.ts";
import { type Ledger, pointsDuring, sightsDuring } from "./ledger.ts";
import { nowsOf } from "./matching.ts";
import { shownAccount, shownOf } from "./shown.ts";
import { liveOf } from "./state.ts";

export interface View {
  readonly ledger: Ledger;
  readonly etags: Etags;
  readonly tenant: string;
  readonly accountIds: readonly string[];
}

/** A list is one look at all accounts: each is as it was at some time during the call, or not there. */
export function placeList(call: Call, { ledger, etags, tenant, accountIds }: View): void {
  const shown = (call.heard.body?.serviceAccounts ?? []) as { readonly id: string }[];
  assert.deepEqual(
    shown.map(({ id }) => id).filter((id) => !accountIds.includes(id)),
    [],
  );
  for (const id of accountIds) {
    const found = shown.find((account) => account.id === id);
    const one = shownOf(found);
    const was = pointsDuring(ledger.account(id), call).find(({ state }) =>
      sightsDuring(ledger, call).some(({ shown: organization }) =>
        nowsOf(call, call, state, organization).some((now) => {
          const isListed = state && (call.req.status !== 1 || state.status === "active");
          return isDeepStrictEqual(
            one,
            isListed ? shownAccount(state, organization, now, tenant) : undefined,
          );
        }),
      ),
    );
    assert.ok(was, `${id} was never as ${call.name} shows it: ${JSON.stringify(one)}`);
    etags.learn(found, was.state?.revision ?? 0);
  }
}

/** As many as there can have been: the accounts go on changing while the switch is pulled. */
export function assertRevokedCount(call: Call, { ledger, accountIds }: View): void {
  const ranges = accountIds
    .filter((id) => !(call.req.exemptServiceAccountIds ?? []).includes(id))
    .map((id) => {
      const counts = pointsDuring(ledger.account(id), call).flatMap(({ state }) =>
        sightsDuring(ledger, call).flatMap(({ shown }) =>
          nowsOf(call, call, state, shown).map((now) => (state ? liveOf(state, shown, now).length : 0)),
        ),
      );
      return { min: Math.min(...counts), max: Math.max(...counts) };
    });
  const count = call.heard.body.revokedCredentialCount;
  const [min, max] = [
    ranges.reduce((sum, one) => sum + one.min, 0),
    ranges.reduce((sum, one) => sum + one.max, 0),
  ];
  assert.ok(min <= count && count <= max, `${call.name} revoked ${count} of ${min} to ${max}`);
}
