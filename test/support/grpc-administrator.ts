import assert from "node:assert/strict";
import { type Client, Code, ConnectError, createClient } from "@connectrpc/connect";
import { createGrpcTransport, Http2SessionManager } from "@connectrpc/connect-node";
import { BadRequestSchema, ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { CredentialPolicyService } from "../../gen/keyturn/v1/credential_policy_service_pb.ts";
import { CredentialService } from "../../gen/keyturn/v1/credential_service_pb.ts";
import { ServiceAccountService } from "../../gen/keyturn/v1/service_account_service_pb.ts";
import type { Administrator } from "./administrator.ts";
import type { TestKeyturn } from "./keyturn.ts";

/** The same person at the gRPC door, with messages that have types. */
export interface GrpcAdministrator {
  readonly accounts: Client<typeof ServiceAccountService>;
  readonly credentials: Client<typeof CredentialService>;
  readonly policies: Client<typeof CredentialPolicyService>;
  close(): void;
}

export function overGrpcAs(
  { headers }: Pick<Administrator, "headers">,
  { grpcAddress }: Pick<TestKeyturn, "grpcAddress">,
): GrpcAdministrator {
  const baseUrl = `http://${grpcAddress}`;
  const sessionManager = new Http2SessionManager(baseUrl);
  const transport = createGrpcTransport({
    baseUrl,
    sessionManager,
    interceptors: [
      (next) => (req) => {
        for (const [name, value] of Object.entries(headers)) req.header.set(name, value);
        return next(req);
      },
    ],
  });
  return {
    accounts: createClient(ServiceAccountService, transport),
    credentials: createClient(CredentialService, transport),
    policies: createClient(CredentialPolicyService, transport),
    close: () => sessionManager.abort(),
  };
}

/** Asserts that a call was refused, and why. */
export async function assertGrpcRefused(
  call: Promise<unknown>,
  code: keyof typeof Code,
  reason: string,
  fields?: readonly string[],
): Promise<void> {
  const err = await call.then(
    () => assert.fail("the call succeeded"),
    (cause: unknown) => ConnectError.from(cause),
  );
  assert.equal(Code[err.code], code, err.message);
  assert.equal(err.findDetails(ErrorInfoSchema)[0]?.reason, reason);
  const violations = err.findDetails(BadRequestSchema)[0]?.fieldViolations ?? [];
  if (fields !== undefined)
    assert.deepEqual(
      violations.map(({ field }) => field),
      fields,
    );
}
