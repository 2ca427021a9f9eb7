import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  VerificationService,
  type VerifyCredentialRequestSchema,
} from "../../gen/keyturn/v1/verification_service_pb.ts";
import type { TestKeyturn } from "./keyturn.ts";
import { type Heard, overGrpc } from "./rpc-callers.ts";

export type VerifyRequest = MessageInitShape<typeof VerifyCredentialRequestSchema>;

/** Asks over gRPC, as somebody with this role, whose a secret is. */
export async function verifyAs(
  h: Pick<TestKeyturn, "grpcAddress" | "token">,
  caller: { readonly organizationId: string; readonly role?: string },
  req: VerifyRequest,
): Promise<Heard> {
  const { organizationId, role = "verifier" } = caller;
  const grpc = overGrpc(h);
  try {
    const authorization = `Bearer ${await h.token(organizationId, { roles: [role] })}`;
    return await grpc.call(VerificationService.method.verifyCredential, req, { authorization });
  } finally {
    grpc.close();
  }
}
