import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import { CredentialPolicyService } from "../../gen/keyturn/v1/credential_policy_service_pb.ts";
import { openAnyDoors } from "../support/any-rpc.ts";
import { rpcCallersOf } from "../support/rpc-callers.ts";

/** Nobody listens there: port 1 is below those that are given out. */
const NOWHERE = { httpUrl: "http://127.0.0.1:1", grpcAddress: "127.0.0.1:1" };
const method = CredentialPolicyService.method.getCredentialPolicy;

// Otherwise a test that wants no refusal, or no more than some, would pass on a server that has gone.
test("the clients of the tests take a lost connection neither for an answer nor for a refusal", async () => {
  for (const caller of rpcCallersOf(NOWHERE)) {
    await assert.rejects(caller.call(method, {}, {}), caller.door);
    caller.close();
  }
  for (const door of openAnyDoors(NOWHERE)) {
    const message = create(method.input, {});
    await assert.rejects(door.call({ method, message, token: undefined, requestId: "one" }), door.name);
    door.close();
  }
});
