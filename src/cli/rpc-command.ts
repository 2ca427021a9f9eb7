import type { DescField, DescMethodUnary } from "@bufbuild/protobuf";

/** One command that is one RPC. What it takes and how it is read follows from the fields of the request. */
export interface RpcCommand {
  readonly group: string;
  readonly name: string;
  readonly method: DescMethodUnary;
  /** What it does, for the help. */
  readonly summary: string;
  /** Fields of the request that are arguments, in this order, by their proto names. */
  readonly args: readonly string[];
  /** Fields that are options, each with the words of its help. The rest of the request is left out. */
  readonly options: Readonly<Record<string, string>>;
  /** Proto JSON that is always part of the request. */
  readonly fixed?: Readonly<Record<string, string>>;
  /** For a list: the fields of its table. */
  readonly columns?: readonly string[];
  /** Whether the answer holds a secret, shown once. */
  readonly issues?: boolean;
  /** Whether it asks about a secret. Then an error of the call says nothing about the secret, and 1 is for the refusal. */
  readonly verifies?: boolean;
  /** Whether it needs no bearer token, and sends none. */
  readonly isPublic?: boolean;
  /** What the operator has to confirm by `--yes`. */
  readonly confirm?: string;
  /** What stands behind `keyturn` on the command line. */
  readonly examples: readonly string[];
}

/** Fields that every list has, and that the command line sets by itself. */
export const PAGE_FIELDS = ["page_size", "page_token", "offset"] as const;

export const fieldOf = (method: DescMethodUnary, name: string): DescField => {
  const field = method.input.fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw new TypeError(`${method.input.typeName} has no field ${name}`);
  return field;
};

export const hasField = (method: DescMethodUnary, name: string): boolean =>
  method.input.fields.some((field) => field.name === name);

/** Whether a secret is sent: it comes by standard input or in a file. */
export const sendsSecret = ({ method }: RpcCommand): boolean => hasField(method, "client_secret");
