import {
  create,
  createFileRegistry,
  type DescMethodUnary,
  type MessageInitShape,
  setExtension,
} from "@bufbuild/protobuf";
import {
  type FieldDescriptorProto,
  FieldDescriptorProto_Label,
  FieldDescriptorProto_Type,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_timestamp,
  MethodOptionsSchema,
} from "@bufbuild/protobuf/wkt";
import { http } from "../../gen/google/api/annotations_pb.ts";
import { file_google_api_field_behavior } from "../../gen/google/api/field_behavior_pb.ts";
import { type HttpRule, HttpRuleSchema } from "../../gen/google/api/http_pb.ts";

/** An HTTP binding. Without more it is one of a method without a body. */
export const binding = (
  httpMethod: "get" | "post" | "patch" | "delete",
  path: string,
  more: MessageInitShape<typeof HttpRuleSchema> = {},
): HttpRule => create(HttpRuleSchema, { pattern: { case: httpMethod, value: path }, ...more });

const { STRING, INT32, INT64, BOOL, DOUBLE, ENUM, MESSAGE } = FieldDescriptorProto_Type;
const REPEATED = FieldDescriptorProto_Label.REPEATED;
const FILE = "keyturn/test/v1/thing.proto";
const PACKAGE = "keyturn.test.v1";

const DEPENDENCIES = [
  file_google_api_field_behavior,
  file_google_protobuf_duration,
  file_google_protobuf_field_mask,
  file_google_protobuf_timestamp,
];

/**
 * Methods by their names, each with its HTTP binding, which all take the same request: one with every kind of field that
 * a proto can have, as ours have only some.
 */
export function givenMethods(rules: Readonly<Record<string, HttpRule>>): DescMethodUnary[] {
  const file = create(FileDescriptorProtoSchema, {
    name: FILE,
    package: PACKAGE,
    syntax: "proto3",
    dependency: DEPENDENCIES.map(({ proto }) => proto.name),
    enumType: [{ name: "Color", value: ["UNSPECIFIED", "RED", "DARK_BLUE"].map(colorNamed) }],
    messageType: [
      { name: "Part", field: numbered(partFields) },
      { name: "Thing", field: numbered(thingFields), nestedType: [mapEntry("Labels"), mapEntry("Shades")] },
    ],
    service: [{ name: "ThingService", method: Object.entries(rules).map(methodOf) }],
  });
  const registry = createFileRegistry(file, (name) => DEPENDENCIES.find(({ proto }) => proto.name === name));
  return (registry.getService(`${PACKAGE}.ThingService`)?.methods ?? []) as DescMethodUnary[];
}

/** The only method of this binding. */
export function givenMethod(rule: HttpRule, name = "DoThing"): DescMethodUnary {
  const [method] = givenMethods({ [name]: rule });
  if (method === undefined) throw new Error("no method was made");
  return method;
}

const colorNamed = (name: string, number: number) => ({ name: `COLOR_${name}`, number });

function methodOf([name, rule]: [string, HttpRule]) {
  const options = create(MethodOptionsSchema);
  setExtension(options, http, rule);
  return { name, inputType: `.${PACKAGE}.Thing`, outputType: `.${PACKAGE}.Thing`, options };
}

type Field = MessageInitShape<typeof FieldDescriptorProtoSchema>;

const field = (name: string, type: FieldDescriptorProto_Type, typeName = ""): Field => ({
  name,
  type,
  typeName,
  label: FieldDescriptorProto_Label.OPTIONAL,
  jsonName: name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
});

const list = (name: string, type: FieldDescriptorProto_Type, typeName = ""): Field => ({
  ...field(name, type, typeName),
  label: REPEATED,
});

const thingFields: readonly Field[] = [
  field("id", STRING),
  field("owner_id", STRING),
  field("size", INT32),
  field("weight", INT64),
  field("loud", BOOL),
  field("note", STRING),
  field("ratio", DOUBLE),
  field("since", MESSAGE, ".google.protobuf.Timestamp"),
  field("pause", MESSAGE, ".google.protobuf.Duration"),
  field("update_mask", MESSAGE, ".google.protobuf.FieldMask"),
  field("color", ENUM, `.${PACKAGE}.Color`),
  list("colors", ENUM, `.${PACKAGE}.Color`),
  field("behavior", ENUM, ".google.api.FieldBehavior"),
  list("tags", STRING),
  list("sizes", INT32),
  list("instants", MESSAGE, ".google.protobuf.Timestamp"),
  list("labels", MESSAGE, `.${PACKAGE}.Thing.LabelsEntry`),
  list("shades", MESSAGE, `.${PACKAGE}.Thing.ShadesEntry`),
  field("part", MESSAGE, `.${PACKAGE}.Part`),
  list("parts", MESSAGE, `.${PACKAGE}.Part`),
  field("etag", STRING),
  field("validate_only", BOOL),
  field("request_id", STRING),
];

const partFields: readonly Field[] = [
  field("color", ENUM, `.${PACKAGE}.Color`),
  field("since", MESSAGE, ".google.protobuf.Timestamp"),
  list("tags", STRING),
];

/** The message that stands behind a map. */
const mapEntry = (name: string) => ({
  name: `${name}Entry`,
  options: { mapEntry: true },
  field: numbered([
    field("key", STRING),
    name === "Shades" ? field("value", ENUM, `.${PACKAGE}.Color`) : field("value", STRING),
  ]),
});

function numbered(fields: readonly Field[]): FieldDescriptorProto[] {
  return fields.map((init, index) => create(FieldDescriptorProtoSchema, { ...init, number: index + 1 }));
}
