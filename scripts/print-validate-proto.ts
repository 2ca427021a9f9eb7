/**
 * Prints `buf/validate/validate.proto` from the descriptor inside `@bufbuild/protovalidate`, so that buf compiles our
 * files against exactly the rules that the runtime evaluates. No npm package ships the file, and a copy in this
 * repository would drift. Options of the file's own fields are left out: buf needs the shape, not the rules of the rules.
 *
 * Usage: node scripts/print-validate-proto.ts
 */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from "@bufbuild/protobuf/wkt";
import { file_buf_validate_validate } from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

/** A module of buf.yaml. */
const FOLDER = "node_modules/.cache/keyturn/proto";
const MAX_FIELD_NUMBER = 536_870_911;
const file = file_buf_validate_validate.proto;

function typeName(field: FieldDescriptorProto): string {
  return field.typeName === "" ? Type[field.type].toLowerCase() : field.typeName;
}

function fieldLine(field: FieldDescriptorProto, inOneof: boolean): string {
  const label = inOneof ? "" : `${Label[field.label].toLowerCase()} `;
  return `${label}${typeName(field)} ${field.name} = ${field.number};`;
}

function range(start: number, endInclusive: number): string {
  if (start === endInclusive) return `${start}`;
  return `${start} to ${endInclusive === MAX_FIELD_NUMBER ? "max" : endInclusive}`;
}

function enumLines(descriptor: EnumDescriptorProto): string[] {
  return [`enum ${descriptor.name} {`, ...descriptor.value.map((v) => `  ${v.name} = ${v.number};`), "}"];
}

function messageLines(message: DescriptorProto): string[] {
  const inOneof = (field: FieldDescriptorProto) => field.proto3Optional !== true && isMember(message, field);
  return [
    `message ${message.name} {`,
    ...indent([
      ...message.nestedType.flatMap(messageLines),
      ...message.enumType.flatMap(enumLines),
      ...message.field.filter((f) => !inOneof(f)).map((f) => fieldLine(f, false)),
      ...message.oneofDecl.flatMap((oneof, index) => [
        `oneof ${oneof.name} {`,
        ...indent(
          message.field
            .filter((f) => isMember(message, f) && f.oneofIndex === index)
            .map((f) => fieldLine(f, true)),
        ),
        "}",
      ]),
      ...message.extensionRange.map((r) => `extensions ${range(r.start, r.end - 1)};`),
      ...message.reservedRange.map((r) => `reserved ${range(r.start, r.end - 1)};`),
      ...message.reservedName.map((name) => `reserved "${name}";`),
    ]),
    "}",
  ];
}

/** `oneofIndex` is 0 both for "first oneof" and for "unset" when read without presence, so presence is asked first. */
function isMember(message: DescriptorProto, field: FieldDescriptorProto): boolean {
  return message.oneofDecl.length > 0 && Object.hasOwn(field, "oneofIndex");
}

function indent(lines: string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function extensionLines(field: FieldDescriptorProto): string[] {
  return [`extend ${field.extendee} {`, `  ${fieldLine(field, false)}`, "}"];
}

const target = join(FOLDER, file.name);
const draft = `${target}.${process.pid}`;
mkdirSync(dirname(target), { recursive: true });
writeFileSync(
  draft,
  [
    `syntax = "${file.syntax || "proto2"}";`,
    `package ${file.package};`,
    ...file.dependency.map((name) => `import "${name}";`),
    ...file.extension.flatMap(extensionLines),
    ...file.enumType.flatMap(enumLines),
    ...file.messageType.flatMap(messageLines),
    "",
  ].join("\n"),
);
// Whole or not at all: a test and a check may print it at once.
renameSync(draft, target);
