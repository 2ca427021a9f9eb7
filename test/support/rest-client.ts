import assert from "node:assert/strict";
import { type DescMethodUnary, type JsonObject, toJson } from "@bufbuild/protobuf";
import { FaultError, type FieldViolation } from "../../src/domain/fault.ts";
import { restMessage } from "../../src/door/rest-request.ts";
import { routeFinder, routesOf } from "../../src/door/routes.ts";
import { decodeStrictJson } from "../../src/rpc/decode.ts";
import { binding, givenMethod } from "./given-service.ts";

export interface RestSent {
  readonly path?: string;
  readonly query?: string;
  /** As text, so that nothing is lost of what a body may say. */
  readonly body?: string;
  readonly idempotencyKey?: string;
}

/** A REST client of one method, down to the message; no server between. */
export function restClient(method: DescMethodUnary, httpMethod: string, path: string) {
  const findRoute = routeFinder(routesOf([method]));
  const read = (sent: RestSent) => {
    const match = findRoute(httpMethod, sent.path ?? path);
    assert.equal(match.kind, "matched");
    if (match.kind !== "matched") throw new Error("no such route");
    return restMessage({
      ...match,
      query: sent.query ?? "",
      body: decodeStrictJson(Buffer.from(sent.body ?? "{}")) as JsonObject,
      idempotencyKey: sent.idempotencyKey,
    });
  };
  return {
    /** The message itself. */
    read,
    /** The message as proto JSON. */
    message: (sent: RestSent) => toJson(method.input, read(sent)) as JsonObject,
    refused(sent: RestSent): readonly FieldViolation[] {
      try {
        read(sent);
      } catch (err) {
        assert.ok(err instanceof FaultError && err.fault.kind === "invalid_argument", String(err));
        return err.fault.violations;
      }
      throw new Error(`${JSON.stringify(sent)} was accepted`);
    },
  };
}

const body = { body: "*" };

/** Clients of methods that take every kind of field. */
export const getThing = restClient(givenMethod(binding("get", "/things/{id}")), "GET", "/things/t");
export const postThing = restClient(
  givenMethod(binding("post", "/things/{owner_id}", body)),
  "POST",
  "/things/o",
);
export const patchThing = restClient(
  givenMethod(binding("patch", "/things/{id}", body)),
  "PATCH",
  "/things/t",
);

/** Names of the fields that a refusal complains of. */
export const fieldsOf = (violations: readonly FieldViolation[]): string[] =>
  violations.map(({ field }) => field);
