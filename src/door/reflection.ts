import { type DescFile, type DescMethod, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { Server } from "@grpc/grpc-js";
import { ReflectionService } from "@grpc/reflection";

/** Answers gRPC server reflection (v1 and v1alpha) from the descriptors that the code was generated from. */
export function addReflection(server: Server, methods: readonly DescMethod[]): void {
  const files = new Map<string, DescFile>();
  for (const { parent } of methods) collect(parent.file, files);
  const fileDescriptorProtos = [...files.values()].map((file) =>
    Buffer.from(toBinary(FileDescriptorProtoSchema, file.proto)),
  );
  const services = [...new Set(methods.map(({ parent }) => parent.typeName))];
  // The service reads nothing of a package definition but these bytes.
  const definition = { keyturn: { fileDescriptorProtos } } as unknown as ConstructorParameters<
    typeof ReflectionService
  >[0];
  new ReflectionService(definition, { services }).addToServer(server);
}

function collect(file: DescFile, files: Map<string, DescFile>): void {
  if (files.has(file.name)) return;
  files.set(file.name, file);
  for (const dependency of file.dependencies) collect(dependency, files);
}
