import { spawnSync } from "node:child_process";
import { fromBinary } from "@bufbuild/protobuf";
import {
  type DescriptorProto,
  type EnumDescriptorProto,
  type FileDescriptorProto,
  FileDescriptorSetSchema,
} from "@bufbuild/protobuf/wkt";

/** Numbers of the fields of descriptor.proto that a path in `SourceCodeInfo` is made of. */
const MESSAGES = 4;
const ENUMS = 5;
const SERVICES = 6;
const FIELDS = 2;
const VALUES = 2;
const METHODS = 2;
const NESTED_MESSAGES = 3;
const NESTED_ENUMS = 4;

/** What stands above something in a proto, by its full name: `keyturn.v1.Credential.uid`. */
export type Comments = ReadonlyMap<string, string>;

/** Asks buf, as generated code has no comments. An enum's value goes by the name of its enum and its own. */
export function readComments(): Comments {
  const args = ["build", "proto", "--as-file-descriptor-set", "-o", "-#format=binpb"];
  const { status, stdout, stderr } = spawnSync("buf", args, { maxBuffer: 64 * 1024 * 1024 });
  if (status !== 0) throw new Error(`buf build: ${stderr}`);
  const { file } = fromBinary(FileDescriptorSetSchema, stdout);
  return new Map(file.filter(({ name }) => name.startsWith("keyturn/")).flatMap(commentsOf));
}

/** @throws TypeError when there is none: the protos are linted for that. */
export function commentOn(comments: Comments, name: string): string {
  const comment = comments.get(name);
  if (comment === undefined) throw new TypeError(`${name} has no comment`);
  return comment;
}

function commentsOf(file: FileDescriptorProto): [string, string][] {
  const named: (readonly [path: string, name: string])[] = [
    ...file.messageType.flatMap((message, index) => inMessage(message, file.package, [MESSAGES, index])),
    ...file.enumType.flatMap((desc, index) => inEnum(desc, file.package, [ENUMS, index])),
    ...file.service.flatMap(({ name, method }, index) => [
      [String([SERVICES, index]), `${file.package}.${name}`] as const,
      ...method.map(
        (rpc, at) => [String([SERVICES, index, METHODS, at]), `${file.package}.${name}.${rpc.name}`] as const,
      ),
    ]),
  ];
  const names = new Map(named);
  return (file.sourceCodeInfo?.location ?? []).flatMap(({ path, leadingComments }): [string, string][] => {
    const name = names.get(String(path));
    const comment = paragraphs(leadingComments);
    return name === undefined || comment === "" ? [] : [[name, comment]];
  });
}

function inMessage(message: DescriptorProto, scope: string, path: readonly number[]): [string, string][] {
  const name = `${scope}.${message.name}`;
  return [
    [String(path), name],
    ...message.field.map((field, at): [string, string] => [
      String([...path, FIELDS, at]),
      `${name}.${field.name}`,
    ]),
    ...message.nestedType.flatMap((nested, at) => inMessage(nested, name, [...path, NESTED_MESSAGES, at])),
    ...message.enumType.flatMap((nested, at) => inEnum(nested, name, [...path, NESTED_ENUMS, at])),
  ];
}

function inEnum(desc: EnumDescriptorProto, scope: string, path: readonly number[]): [string, string][] {
  const name = `${scope}.${desc.name}`;
  return [
    [String(path), name],
    ...desc.value.map((value, at): [string, string] => [
      String([...path, VALUES, at]),
      `${name}.${value.name}`,
    ]),
  ];
}

/** Its paragraphs as one line each, an empty line between them. */
function paragraphs(comment: string): string {
  const lines = comment.split("\n").map((line) => line.trim());
  return lines
    .join("\n")
    .trim()
    .split(/\n{2,}/)
    .map((paragraph) => paragraph.replaceAll("\n", " "))
    .join("\n\n");
}
