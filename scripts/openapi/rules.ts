import { type DescField, type DescMessage, getOption, hasOption, type Message } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import type { Duration } from "@bufbuild/protobuf/wkt";
import {
  DurationRulesSchema,
  type FieldRules,
  field as fieldRules,
  Int32RulesSchema,
  MapRulesSchema,
  RepeatedRulesSchema,
  StringRulesSchema,
} from "@bufbuild/protovalidate/gen/buf/validate/validate_pb.js";

/** A JSON Schema of the dialect that OpenAPI 3.1 has, 2020-12. */
export type Schema = Readonly<Record<string, unknown>>;

/**
 * What the rules of a field say, as keywords of JSON Schema.
 * @throws TypeError for a rule that has no keyword here: the document would promise what the edge refuses.
 */
export function keywordsOf(field: DescField): Schema {
  return hasOption(field, fieldRules) ? keywords(getOption(field, fieldRules)) : {};
}

/** Values that a field may have, where its rules list them. */
export function valuesOf(field: DescField): readonly string[] {
  return (keywordsOf(field)["enum"] ?? []) as readonly string[];
}

function keywords({ type }: FieldRules): Schema {
  switch (type.case) {
    case undefined:
    case "enum":
      return {};
    case "string":
      return translated(StringRulesSchema, type.value, STRING);
    case "int32":
      return translated(Int32RulesSchema, type.value, INTEGER);
    case "repeated":
      return translated(RepeatedRulesSchema, type.value, REPEATED);
    case "map":
      return translated(MapRulesSchema, type.value, MAP);
    case "duration":
      return translated(DurationRulesSchema, type.value, DURATION);
    default:
      throw new TypeError(`rules for ${type.case} have no keywords`);
  }
}

type Translations = Readonly<Record<string, (value: unknown) => Schema>>;

const STRING: Translations = {
  min_len: (value) => ({ minLength: Number(value) }),
  max_len: (value) => ({ maxLength: Number(value) }),
  pattern: (value) => ({ pattern: value }),
  in: (value) => ({ enum: [...(value as Iterable<string>)].filter((text) => text !== "") }),
  ip_prefix: () => ({ format: "cidr" }),
};

const INTEGER: Translations = {
  gte: (value) => ({ minimum: value }),
  lte: (value) => ({ maximum: value }),
};

const REPEATED: Translations = {
  unique: () => ({ uniqueItems: true }),
  max_items: (value) => ({ maxItems: Number(value) }),
  items: (value) => ({ items: nested(value) }),
};

const MAP: Translations = {
  max_pairs: (value) => ({ maxProperties: Number(value) }),
  keys: (value) => ({ propertyNames: nested(value) }),
  values: (value) => ({ additionalProperties: nested(value) }),
};

/** Bounds of texts have no keyword of the standard's. */
const DURATION: Translations = {
  gte: (value) => ({ "x-minimum": textOf(value) }),
  lte: (value) => ({ "x-maximum": textOf(value) }),
};

const nested = (value: unknown): Schema => keywords((value as { readonly message: FieldRules }).message);

const textOf = (value: unknown): string => `${(value as { readonly message: Duration }).message.seconds}s`;

function translated<Desc extends DescMessage>(
  desc: Desc,
  rules: Message,
  translations: Translations,
): Schema {
  const reflected = reflect(desc, rules as never);
  const set = desc.fields.filter((field) => reflected.isSet(field));
  return Object.assign(
    {},
    ...set.map((field) => {
      const translate = translations[field.name];
      if (translate === undefined) throw new TypeError(`the rule ${String(field)} has no keyword`);
      return translate(reflected.get(field));
    }),
  );
}
