import { createValidator, type Violation } from "@bufbuild/protovalidate";
import type { Interceptor } from "@connectrpc/connect";
import { type FieldViolation, invalidArgument } from "../../domain/fault.ts";

/** Checks the message against the rules in the protos. The first interceptor that reads the message at all. */
export const validate = (): Interceptor => {
  const validator = createValidator();
  return (next) => (req) => {
    if (!req.stream) {
      const result = validator.validate(req.method.input, req.message);
      if (result.kind === "error") throw result.error;
      if (result.kind === "invalid") throw invalidArgument(...result.violations.map(toFieldViolation));
    }
    return next(req);
  };
};

function toFieldViolation(violation: Violation): FieldViolation {
  const field = violation.field.map(step).join("").replace(/^\./, "");
  // The standard words would quote the regular expression.
  const isPattern = violation.ruleId === "string.pattern";
  return {
    field,
    description: isPattern ? "does not have the form that the API reference gives" : violation.message,
  };
}

/** `.roles`, `[0]` (google.rpc.BadRequest). The key of a map is the caller's text and is left out. */
function step(part: Violation["field"][number]): string {
  if ("localName" in part) return `.${part.name}`;
  return part.kind === "list_sub" ? `[${part.index}]` : "";
}
