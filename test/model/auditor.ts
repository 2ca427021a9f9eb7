/** Replays the trail on the model, and holds every answer against it. */
import assert from "node:assert/strict";
import { isOfServiceAccount, ORGANIZATION_CHAIN, REFUSED_CALLS_CHAIN } from "../../src/domain/audit-event.ts";
import type { Call } from "./clients.ts";
import { credentialVersion, openEtags } from "./etags.ts";
import { openLedger, type Point, pointsDuring } from "./ledger.ts";
import { assertRevokedCount, placeList } from "./looks-at-all.ts";
import { matchAccount, matchOrganization, type Told } from "./matching.ts";
import type { Verdict } from "./situation.ts";
import { type AccountState, type OrganizationState, statusOf } from "./state.ts";
import { accountIdOf, type Recorded } from "./trail.ts";

export function openAuditor(tenant: string, accountIds: readonly string[]) {
  const ledger = openLedger();
  const etags = openEtags();
  const view = { ledger, etags, tenant, accountIds };

  const lastOf = (id: string) => ledger.account(id).at(-1) as Point<AccountState | undefined>;

  /** One call about an account, in one of the states in which it can have found it. */
  function settle(call: Call, states: readonly (AccountState | undefined)[], told: Told): Verdict {
    const tried = states.map((account) => ({
      account,
      ...matchAccount(ledger, call, account, tenant, told),
    }));
    const ways = tried.flatMap(({ account, matches }) => matches.map((match) => ({ account, ...match })));
    const [way] = ways;
    if (way === undefined)
      throw unforeseen(
        call,
        told,
        tried.flatMap(({ others }) => others),
      );
    const revisions = ways.map(({ account, verdict }) =>
      verdict.account === undefined || verdict.account === "gone"
        ? account?.revision
        : verdict.account.revision,
    );
    etags.learn(call.heard.body, sole(revisions));
    claim(call, ways, ({ account, organization }) => account && versionNamed(call, account, organization));
    return way.verdict;
  }

  /** What the ways in which a call can have been decided say of the etag that it sent; nothing, when one says nothing. */
  function claim<Way extends { readonly etagFits: boolean | undefined }>(
    call: Call,
    ways: readonly Way[],
    versionOf: (way: Way) => string | undefined,
  ): void {
    const claims = ways.flatMap((way) => {
      const version = versionOf(way);
      return way.etagFits === undefined || version === undefined ? [] : [{ version, fits: way.etagFits }];
    });
    if (call.req.etag !== undefined && claims.length === ways.length)
      etags.claim(call.name, call.req.etag, claims);
  }

  /** Moves an account on by a row of its chain. */
  function advance({ row, call }: Recorded): void {
    const id = accountIdOf(call) as string;
    const point = lastOf(id);
    const from = point.state === undefined ? call.from : Math.max(call.from, point.at);
    const at = row.occurred_at.getTime();
    const verdict = settle(call, [point.state], { isRecorded: true, window: { from, to: at } });
    const { account = point.state } = verdict;
    assert.ok(point.start < call.end, `${call.name} stands behind what began after it had ended`);
    const uid = row.service_account_uid;
    if (account !== "gone")
      assert.equal(account?.uid, uid, `${call.name} stands in the chain of another account`);
    const start = Math.max(point.start, call.start);
    ledger.account(id).push({ state: account === "gone" ? undefined : account, start, end: call.end, at });
  }

  function settleOrganization(call: Call, states: readonly OrganizationState[], told: Told) {
    const exempt = (call.req.exemptServiceAccountIds ?? []).map((id: string) => lastOf(id).state?.uid);
    const tried = states.map((state) => matchOrganization(call, state, exempt, told));
    const ways = tried.flatMap(({ matches }) => matches);
    const [way] = ways;
    if (way === undefined)
      throw unforeseen(
        call,
        told,
        tried.flatMap(({ others }) => others),
      );
    // An update shows the etag of the revision that it makes.
    const ahead = call.rpc === "updateCredentialPolicy" ? 1 : 0;
    etags.learn(call.heard.body, sole(ways.map(({ organization }) => organization.policyRevision + ahead)));
    claim(call, ways, ({ organization }) => `policy ${organization.policyRevision}`);
    return way.verdict;
  }

  /** Moves the organization on by a row of its chain that is about itself. */
  function advanceOrganization({ row, call }: Recorded): void {
    const point = ledger.organization.at(-1) as Point<OrganizationState>;
    const at = row.occurred_at.getTime();
    const window = { from: Math.max(call.from, point.at), to: at };
    const verdict = settleOrganization(call, [point.state], { isRecorded: true, window });
    assert.ok(point.start < call.end, `${call.name} stands behind what began after it had ended`);
    const state = verdict.organization ?? point.state;
    ledger.organization.push({ state, start: Math.max(point.start, call.start), end: call.end, at });
  }

  /** A call that no chain gives a place: it must fit one of those that it can have had. */
  function place(call: Call, isRecorded: boolean): void {
    const told = { isRecorded, window: call };
    if (call.isMember) assert.equal(call.heard.reason, reasonForMembers(call), call.name);
    else if (call.isMalformed) assert.equal(call.heard.reason, "INVALID_ARGUMENT", call.name);
    else if (call.rpc === "listAuditEvents") assert.equal(call.heard.reason, "", call.name);
    else if (call.rpc === "listServiceAccounts") placeList(call, view);
    else if (accountIdOf(call) !== undefined) {
      const states = pointsDuring(ledger.account(accountIdOf(call) as string), call).map(
        ({ state }) => state,
      );
      settle(call, states, told);
      return;
    } else {
      const states = pointsDuring(ledger.organization, call).map(({ state }) => state);
      settleOrganization(call, states, told);
      return;
    }
    assert.equal(
      isRecorded,
      (call.isMember || (call.isMalformed && !call.req.validateOnly)) ?? false,
      `the trail has ${call.name}, ${call.rpc} ${call.heard.reason}`,
    );
  }

  /** What retries hang on, known before any of them is judged: no chain says how it stands to the others. */
  function register(recorded: readonly Recorded[]): void {
    for (const { row, call } of recorded) {
      if (row.outcome !== "succeeded") continue;
      if (call.rpc === "deleteServiceAccount") ledger.deleted(row.service_account_uid, call);
      if (row.credential_id !== null) ledger.issued(call, row.service_account_uid, row.credential_id);
    }
  }

  return {
    ledger,
    lastOf,
    /** Everything that was called, and all that the trail has of it. */
    review(calls: readonly Call[], chains: ReadonlyMap<string, readonly Recorded[]>): void {
      register([...chains.values()].flat());
      const ofOrganization = chains.get(ORGANIZATION_CHAIN) ?? [];
      for (const recorded of ofOrganization) if (isAboutAll(recorded.call)) advanceOrganization(recorded);
      const ofAccounts = [...chains].filter(([uid]) => isOfServiceAccount(uid)).map(([, chain]) => chain);
      // Of one id, one account comes after the other.
      for (const chain of ofAccounts.sort((a, b) => firstAt(a) - firstAt(b)))
        for (const one of chain) advance(one);
      const advanced = new Set(
        [...ofOrganization.filter(({ call }) => isAboutAll(call)), ...ofAccounts.flat()].map(
          ({ call }) => call,
        ),
      );
      const ofRefused = chains.get(REFUSED_CALLS_CHAIN) ?? [];
      const recorded = new Set([...ofOrganization, ...ofRefused].map(({ call }) => call));
      for (const call of calls) {
        if (!advanced.has(call)) place(call, recorded.has(call));
        if (call.heard.body?.revokedCredentialCount !== undefined && isAboutAll(call))
          assertRevokedCount(call, view);
      }
      assert.deepEqual(etags.faults(), []);
    },
  };
}

/** The one that they all are; `undefined` when they are several. */
const sole = <T>(values: readonly T[]): T | undefined => (new Set(values).size === 1 ? values[0] : undefined);

const firstAt = ([first]: readonly Recorded[]): number => first?.row.occurred_at.getTime() ?? 0;

/** Decided under the lock of the organization, in the order of its chain. */
const isAboutAll = (call: Call): boolean =>
  accountIdOf(call) === undefined && !call.isMember && !call.isMalformed;

/** The thing whose etag a call sent, as it is. */
function versionNamed({ service, req }: Call, account: AccountState, organization: OrganizationState) {
  if (service === "ServiceAccountService") return `${account.uid} ${account.revision}`;
  const credential = account.credentials.find(({ id }) => id === req.id);
  if (credential === undefined) return undefined;
  const isRevoked = statusOf(credential, account, organization, -Infinity) === "revoked";
  return credentialVersion(credential.uid, credential.expiresAt, isRevoked);
}

const UNSEEN = [
  "getCredential",
  "deleteCredential",
  "getServiceAccount",
  "updateServiceAccount",
  "deleteServiceAccount",
];

/** What does not exist for them they are not told of. */
const reasonForMembers = ({ rpc }: Call): string =>
  UNSEEN.includes(rpc) ? "NOT_FOUND" : "PERMISSION_DENIED";

function unforeseen(call: Call, told: Told, verdicts: readonly Verdict[]): Error {
  const { client, ...made } = call;
  const spelt = (value: unknown) =>
    JSON.stringify(value, (_key, inner) => (typeof inner === "bigint" ? Number(inner) : inner));
  const foreseen = verdicts.map(({ reason, metadata, body }) => spelt({ reason, metadata, body }));
  return new assert.AssertionError({
    message: [
      `${client.subject} at ${client.at.door} heard what the model does not say`,
      spelt(made),
      spelt(told),
      ...new Set(foreseen),
    ]
      .slice(0, 12)
      .join("\n"),
  });
}
