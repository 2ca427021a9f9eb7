/** Accounts to create credentials for, and the ways to do that. */
import { setTimeout as delay, setImmediate } from "node:timers/promises";
import { create, toBinary } from "@bufbuild/protobuf";
import { CreateCredentialRequestSchema } from "../../gen/keyturn/v1/credential_service_pb.ts";
import type { Bench, BenchDatabase, BenchServer } from "./bench.ts";
import type { GrpcConnection } from "./grpc-connection.ts";
import { type GrpcLoad, openConnections } from "./grpc-load.ts";

export const CREATE = "/keyturn.v1.CredentialService/CreateCredential";

/** So many accounts `sa-1`, `sa-2` and so on of an organization of their own, without a credential. */
export async function givenAccounts(
  { sql }: BenchDatabase,
  organizationId: string,
  count: number,
): Promise<void> {
  await sql`insert into keyturn.organizations (id) values (${organizationId})`;
  await sql`
    insert into keyturn.service_accounts (organization_id, id, display_name, scope_id, created_by)
    select ${organizationId}, 'sa-' || n, 'Bench', ${organizationId}, 'bench' from generate_series(1, ${count}::int) n`;
  await sql`analyze keyturn.organizations, keyturn.service_accounts`;
}

export const createMessage = (serviceAccountId: string): Buffer =>
  Buffer.from(
    toBinary(CreateCredentialRequestSchema, create(CreateCredentialRequestSchema, { serviceAccountId })),
  );

/** Creates for so many accounts in turn. */
export async function createsOverGrpc(
  bench: Bench,
  { grpc }: BenchServer,
  { organizationId, accounts }: { readonly organizationId: string; readonly accounts: number },
): Promise<GrpcLoad> {
  const messages = Array.from({ length: accounts }, (_, index) => createMessage(`sa-${index + 1}`));
  const token = await bench.token(organizationId);
  return { address: grpc, path: CREATE, token, messages, connections: 4 };
}

/** What a crowd has had so far. */
export interface CrowdCount {
  /** Milliseconds of each call that was answered with a credential. */
  readonly accepted: readonly number[];
  /** How many of them were answered before the work was done; the others were under way then. */
  readonly inTime: number;
  readonly refused: number;
  readonly left: number;
}

export interface Crowd {
  readonly callers: number;
  readonly connections: number;
  /** What who is turned away waits before he comes again; 0: nothing. */
  readonly retryMs: number;
  /** One call in ten is given up after so long. */
  readonly patienceMs?: number;
}

const LEAVES_EVERY = 10;

/** So many callers with a create in flight each, until the work is done. */
export async function amidCreates(
  load: GrpcLoad,
  { callers, connections, retryMs, patienceMs }: Crowd,
  work: () => Promise<unknown>,
): Promise<CrowdCount> {
  const open = await openConnections({ ...load, connections });
  const accepted: number[] = [];
  let [refused, left, turn, inTime, isOver] = [0, 0, 0, 0, false];
  const loop = async (connection: GrpcConnection) => {
    while (!isOver) {
      const sentAt = performance.now();
      const isLeaving = patienceMs !== undefined && turn % LEAVES_EVERY === 0;
      const message = load.messages[turn++ % load.messages.length] as Buffer;
      const isCreated = await connection.call(message, isLeaving ? patienceMs : undefined);
      const tookMs = performance.now() - sentAt;
      if (isCreated) accepted.push(tookMs);
      else if (isLeaving && tookMs >= patienceMs) left += 1;
      else refused += 1;
      if (!isCreated) await (retryMs > 0 ? delay(retryMs) : setImmediate());
    }
  };
  const crowd = Array.from({ length: callers }, (_, index) =>
    loop(open[index % open.length] as GrpcConnection),
  );
  try {
    await work();
    inTime = accepted.length;
  } finally {
    isOver = true;
    await Promise.all(crowd);
    for (const connection of open) connection.close();
  }
  return { accepted, inTime, refused, left };
}
