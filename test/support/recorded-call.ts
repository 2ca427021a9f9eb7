import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { create, type DescMethodUnary } from "@bufbuild/protobuf";
import type { AnyDoor } from "./any-rpc.ts";
import type { TestKeyturn } from "./keyturn.ts";
import { databaseNow, rowsOfCall, type TrailRow } from "./trail.ts";

export const DOOR_NAMES = ["REST", "Connect JSON", "Connect proto", "gRPC-Web", "gRPC"];

const SUBJECT = "user-7";

/** Who calls for what, where. */
export interface Ask {
  readonly door: string;
  readonly organizationId: string;
  readonly method: DescMethodUnary;
  readonly init: Readonly<Record<string, unknown>>;
  readonly roles?: readonly string[];
}

/** Calls, and gives the answer's reason and the one row that the call has left, which says who asked, when and from where. */
export async function recordedCall(
  h: TestKeyturn,
  doors: readonly AnyDoor[],
  ask: Ask,
): Promise<{ readonly reason: string; readonly row: TrailRow }> {
  const { method, organizationId, roles = ["admin"] } = ask;
  const requestId = `${method.name}.${randomBytes(6).toString("hex")}`;
  const door = doors.find(({ name }) => name === ask.door) as AnyDoor;
  const token = await h.token(organizationId, { sub: SUBJECT, roles });
  const began = await databaseNow(h.db.sql);
  const answer = await door.call({ method, message: create(method.input, ask.init), token, requestId });
  const ended = await databaseNow(h.db.sql);
  assert.equal(answer.requestId, requestId, "X-Request-Id is echoed");
  const [row, ...more] = await rowsOfCall(h.db.sql, requestId);
  assert.ok(row, `${requestId} left no row: ${answer.wire}`);
  assert.deepEqual(more, []);
  assert.deepEqual(
    [row.organizationId, row.issuer, row.subject, row.clientAddress],
    [organizationId, h.issuer.url, SUBJECT, "127.0.0.1"],
  );
  assert.ok(began <= row.occurredAt && row.occurredAt <= ended, "by the database's clock");
  return { reason: answer.reason, row };
}
