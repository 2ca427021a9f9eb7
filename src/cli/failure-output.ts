import type { KeyturnError } from "../client/call-error.ts";
import { printable } from "./table.ts";

/** A failure in lines: reason, sentence, what else is known, and under which id to look for it in the service's log. */
export function failureText(err: KeyturnError): string {
  const facts = [
    ...err.violations.map(({ field, description }) => `${field || "request"}: ${description}`),
    ...Object.entries(err.metadata).map(([name, value]) => `${name}: ${value}`),
    ...(err.retryDelayMs === undefined ? [] : [`try again in: ${Math.ceil(err.retryDelayMs / 1000)} s`]),
    ...(err.requestId === undefined ? [] : [`x-request-id: ${err.requestId}`]),
  ];
  const head = `keyturn: ${err.reason ?? err.code}: ${printable(err.message)}`;
  return [head, ...facts.map((fact) => `  ${printable(fact)}`), ""].join("\n");
}

/** The same for programs. @param again what to add to ask for the same answer again, where nobody knows whether there is one. */
export function failureJson(err: KeyturnError, again?: string): string {
  const error = {
    code: err.code,
    ...(err.reason === undefined ? {} : { reason: err.reason }),
    message: err.message,
    metadata: err.metadata,
    ...(err.violations.length === 0 ? {} : { violations: err.violations }),
    ...(err.retryDelayMs === undefined ? {} : { retryDelayMs: err.retryDelayMs }),
    ...(err.requestId === undefined ? {} : { requestId: err.requestId }),
    ...(again === undefined ? {} : { toAskAgainAdd: again }),
  };
  return `${JSON.stringify({ error }, undefined, 2)}\n`;
}
