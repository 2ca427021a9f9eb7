/**
 * The least gRPC server that there can be: grpc-js, a handler that reads the request and answers the same principal every time.
 * No interceptor, no token, no log. What grpc-js itself costs.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Server, ServerCredentials, type sendUnaryData } from "@grpc/grpc-js";
import {
  VerifyCredentialRequestSchema,
  type VerifyCredentialResponse,
  VerifyCredentialResponseSchema,
} from "../gen/keyturn/v1/verification_service_pb.ts";
import { principal } from "./support/principal.ts";

const response = create(VerifyCredentialResponseSchema, { result: { case: "principal", value: principal } });
const server = new Server();
server.addService(
  {
    verifyCredential: {
      path: "/keyturn.v1.VerificationService/VerifyCredential",
      requestStream: false,
      responseStream: false,
      requestSerialize: () => Buffer.alloc(0),
      requestDeserialize: (bytes: Buffer) => fromBinary(VerifyCredentialRequestSchema, bytes),
      responseSerialize: (message: VerifyCredentialResponse) =>
        Buffer.from(toBinary(VerifyCredentialResponseSchema, message)),
      responseDeserialize: (bytes: Buffer) => bytes,
    },
  },
  {
    verifyCredential: (_: unknown, done: sendUnaryData<VerifyCredentialResponse>) => done(null, response),
  },
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (err, port) => {
  if (err !== null) throw err;
  process.stdout.write(`${JSON.stringify({ address: `127.0.0.1:${port}` })}\n`);
});
process.on("SIGTERM", () => process.exit(0));
