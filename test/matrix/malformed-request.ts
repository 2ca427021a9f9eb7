import {
  clone,
  create,
  createFileRegistry,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";

/** A method as a client has it that got the protos wrong, and a message which the server cannot read. */
export interface UnreadableRequest {
  readonly method: DescMethodUnary;
  readonly message: MessageShape<DescMessage>;
}

/**
 * A request that is malformed whichever way it is sent: as JSON and in a query it has a member that is no field, and in
 * the binary encoding a tag that there cannot be.
 */
export function unreadableRequest(
  method: DescMethodUnary,
  init: MessageInitShape<DescMessage>,
): UnreadableRequest {
  const strange = withStrangeField(method);
  const message = create(strange.input, { ...init, noSuchField: "x" } as MessageInitShape<DescMessage>);
  message.$unknown = [{ no: 0, wireType: 2, data: Uint8Array.of(0) }];
  return { method: strange, message };
}

const FIELD = create(FieldDescriptorProtoSchema, {
  name: "no_such_field",
  jsonName: "noSuchField",
  number: 9999,
  type: FieldDescriptorProto_Type.STRING,
  label: FieldDescriptorProto_Label.OPTIONAL,
});

function withStrangeField({ parent, name, input }: DescMethodUnary): DescMethodUnary {
  const file = clone(FileDescriptorProtoSchema, parent.file.proto);
  file.messageType.find((message) => message.name === input.name)?.field.push(FIELD);
  const { dependencies } = parent.file;
  const registry = createFileRegistry(file, (path) => dependencies.find(({ proto }) => proto.name === path));
  const strange = registry.getService(parent.typeName)?.methods.find((method) => method.name === name);
  if (strange === undefined) throw new Error(`the method ${name} was lost`);
  return strange as DescMethodUnary;
}
