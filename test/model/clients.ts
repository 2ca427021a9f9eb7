import { SERVICES } from "../../src/rpc/services.ts";
import { type Heard, overGrpc, overRest, type RpcCaller } from "../support/rpc-callers.ts";
import type { TwoServers } from "../support/two-servers.ts";
import type { Known, Operation } from "./operations.ts";
import type { Random } from "./random.ts";
import type { ModelCaller } from "./situation.ts";

/** Somebody who makes one call after the other, always at the same door of the same server. */
export interface Client extends ModelCaller {
  readonly at: RpcCaller;
  readonly token: string;
  /** The same subject without a role that counts. */
  readonly memberToken: string;
}

/** A call that was made, and what became of it. */
export interface Call extends Operation {
  readonly client: Client;
  /** Sent as X-Request-Id, which the trail has. */
  readonly name: string;
  /** Ticks of one clock for all clients: a call that ended before another began was there first. */
  readonly start: number;
  readonly end: number;
  /** Within these, by the clock of the database. */
  readonly from: number;
  readonly to: number;
  readonly heard: Heard;
}

/** May grant every role. */
const OWNER = "owner";
/** Those of the last two clients, who may grant what they hold. */
const LIMITED_ROLES = ["admin", "deploy"];
/** How far the database's clock may be from this process's, once the difference is known. */
const CLOCK_SLACK_MS = 50;

export async function openClients(h: TwoServers, tenant: string, count: number): Promise<Client[]> {
  const [one, other] = h.servers;
  const doors = [() => overGrpc(one), () => overRest(one), () => overGrpc(other), () => overRest(other)];
  return Promise.all(
    Array.from({ length: count }, async (_, n): Promise<Client> => {
      const subject = `client-${n}`;
      const isLimited = n >= count - 2;
      const roles = isLimited ? LIMITED_ROLES : [OWNER];
      return {
        subject,
        grantable: isLimited ? LIMITED_ROLES : "all",
        at: (doors[n % doors.length] as () => RpcCaller)(),
        token: await one.token(tenant, { sub: subject, roles }),
        memberToken: await one.token(tenant, { sub: subject, roles: ["reader"] }),
      };
    }),
  );
}

/** Makes calls and writes down when. */
export interface Desk {
  call(client: Client, operation: Operation): Promise<Call>;
  /** Now, for what is done while nobody calls. */
  tick(): number;
  readonly known: Known;
}

/** @param offsetMs of the database's clock from this process's. */
export function openDesk(accounts: readonly string[], random: Random, offsetMs: number): Desk {
  const requestIds = Array.from({ length: 6 }, () => random.uuid());
  const learned = new Map<string, string[]>();
  const learn = (resource: string, what: unknown) => {
    const list = learned.get(resource) ?? [];
    if (typeof what === "string" && !list.includes(what)) learned.set(resource, [...list, what]);
  };
  const gone = new Set<string>();
  let ticks = 0;
  let names = 0;
  const now = () => Math.floor(Date.now() + offsetMs);
  return {
    known: {
      accounts,
      requestIds,
      now,
      credentialIds: (accountId) =>
        (learned.get(`credentials of ${accountId}`) ?? []).toSorted(
          (a, b) => Number(gone.has(b)) - Number(gone.has(a)),
        ),
      etags: (resource) => (learned.get(`etags of ${resource}`) ?? []).slice(-3),
    },
    tick: () => ticks++,
    async call(client, operation) {
      const method = (SERVICES[operation.service].method as Record<string, Parameters<RpcCaller["call"]>[0]>)[
        operation.rpc
      ];
      if (method === undefined) throw new TypeError(`no RPC ${operation.rpc}`);
      const name = `${client.subject}:${names++}`;
      const token = operation.isMember ? client.memberToken : client.token;
      const start = ticks++;
      const from = now() - CLOCK_SLACK_MS;
      const heard = await client.at.call(method, operation.req, {
        authorization: `Bearer ${token}`,
        "x-request-id": name,
      });
      for (const found of objectsIn(heard.body)) {
        if (found["clientSecret"] !== undefined)
          learn(`credentials of ${found["serviceAccountId"]}`, found["id"]);
        learn(`etags of ${found["id"] ?? "policy"}`, found["etag"]);
        if (found["replacedCredential"] !== undefined) gone.add(operation.req.id);
      }
      if (operation.rpc === "deleteCredential" && heard.reason === "") gone.add(operation.req.id);
      if (operation.rpc === "deleteServiceAccount" && heard.reason === "")
        for (const id of learned.get(`credentials of ${operation.req.id}`) ?? []) gone.add(id);
      return { ...operation, client, name, start, end: ticks++, from, to: now() + CLOCK_SLACK_MS, heard };
    },
  };
}

/** An answer and all objects inside it. */
export function objectsIn(body: unknown): Record<string, unknown>[] {
  if (Array.isArray(body)) return body.flatMap(objectsIn);
  if (typeof body !== "object" || body === null) return [];
  return [body as Record<string, unknown>, ...Object.values(body).flatMap(objectsIn)];
}
