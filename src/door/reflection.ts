import { type DescFile, type DescMethod, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";
import { file_google_rpc_error_details } from "../../gen/google/rpc/error_details_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { file_keyturn_v1_error_reason } from "../../gen/keyturn/v1/error_reason_pb.ts";

/** No method names them, and without them a client that knows the API by reflection alone cannot read why it was refused. */
const ERRORS = [file_google_rpc_error_details, file_keyturn_v1_error_reason];

/**
 * Answers gRPC server reflection (v1 and v1alpha): our services, from the descriptors that the code was generated from, and
 * health.
 */
export function addReflection(server: Server, methods: readonly DescMethod[]): void {
  const services = [...new Set(methods.map(({ parent }) => parent)), Health];
  const files = new Map<string, DescFile>();
  for (const file of [...services.map(({ file }) => file), ...ERRORS]) collect(file, files);
  const fileDescriptorProtos = [...files.values()].map((file) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)),
  );
  // The service reads nothing of a package definition but these bytes.
  const definition = { keyturn: { fileDescriptorProtos } } as unknown as ConstructorParameters<
    typeof ReflectionService
  >[0];
  const names = services.map(({ typeName }) => typeName);
  new ReflectionService(definition, { services: names }).addToServer(server);
}

function collect(file: DescFile, files: Map<string, DescFile>): void {
  if (files.has(file.name)) return;
  files.set(file.name, file);
  for (const dependency of file.dependencies) collect(dependency, files);
}
