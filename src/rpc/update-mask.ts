import type { FieldMask } from "@bufbuild/protobuf/wkt";
import { invalidArgument } from "../domain/fault.ts";

/**
 * The fields that an update changes, by their proto names. A mask names them; without one they are those that are set
 * (AIP-134). `*` stands for all.
 * @param changeable every field that may be changed, and whether the request sets it.
 * @throws FaultError invalid_argument for a name that is none of them.
 */
export function changedFields<Name extends string>(
  mask: FieldMask | undefined,
  changeable: Readonly<Record<Name, boolean>>,
): ReadonlySet<Name> {
  const names = Object.keys(changeable) as Name[];
  if (mask === undefined || mask.paths.length === 0) return new Set(names.filter((name) => changeable[name]));
  if (mask.paths.length === 1 && mask.paths[0] === "*") return new Set(names);
  const unknown = mask.paths.filter((path) => !(names as string[]).includes(path));
  if (unknown.length > 0)
    throw invalidArgument({ field: "update_mask", description: `must name ${names.join(" or ")}` });
  return new Set(mask.paths as Name[]);
}
