import { create } from "@bufbuild/protobuf";
import { PrincipalSchema } from "../../gen/keyturn/v1/verification_service_pb.ts";

/** What an echo answers: as long as the answer of a check. */
export const principal = create(PrincipalSchema, {
  organizationId: "bench",
  serviceAccountId: "sa-0",
  serviceAccountUid: "00000000-0000-0000-0000-000000000000",
  clientId: "sa-0@bench.iam",
  credentialId: "cred-00000000000000000000",
  scope: 1,
  scopeId: "bench",
  roles: ["a", "b"],
  expiresAt: { seconds: 2_000_000_000n, nanos: 0 },
});
