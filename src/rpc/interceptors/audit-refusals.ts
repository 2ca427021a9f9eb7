import { type DescMessage, type MessageShape, ScalarType } from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import type { Interceptor } from "@connectrpc/connect";
import { type Fault, FaultError } from "../../domain/fault.ts";
import type { RecordRefusal } from "../../service/record-refusal.ts";
import { type AccessRow, accessOf } from "../access.ts";
import { type Call, contextOf } from "../call.ts";
import { callOf } from "../chain.ts";

/**
 * Sees to it that every refused call of a known caller stands in the audit trail. What the database refused it has
 * recorded itself; here is what never got that far.
 */
export const auditRefusals =
  (recordRefusal: RecordRefusal): Interceptor =>
  (next) =>
  async (req) => {
    try {
      return await next(req);
    } catch (err) {
      const call = callOf(req);
      const outcome = refusalOf(err, accessOf(call.method), () => isDryRun(req));
      if (outcome !== undefined && call.verifiedCaller !== undefined) {
        await recordRefusal(contextOf(call), {
          action: accessOf(call.method).action,
          outcome,
          ...namedIn(call, req),
        });
      }
      throw err;
    }
  };

/** The fault in one word, when it is a refusal that nobody has recorded yet. */
function refusalOf(err: unknown, access: AccessRow, isDryRun: () => boolean): Fault["kind"] | undefined {
  if (!(err instanceof FaultError) || err.isRecorded) return undefined;
  const { kind } = err.fault;
  const isUnfit = access.changes && UNFIT.has(kind) && !isDryRun();
  return kind === "permission_denied" || isUnfit ? kind : undefined;
}

const UNFIT: ReadonlySet<Fault["kind"]> = new Set([
  "invalid_argument",
  "content_type_unsupported",
  "message_too_large",
  "role_not_grantable",
]);

/** Who may call at all may also try: that leaves nothing behind, whatever comes of it. */
function isDryRun(req: { readonly message: unknown }): boolean {
  try {
    return (req.message as { readonly validateOnly?: boolean }).validateOnly === true;
  } catch {
    return false;
  }
}

interface Named {
  readonly serviceAccountId: string | undefined;
  readonly credentialId: string | undefined;
}

const NOTHING: Named = { serviceAccountId: undefined, credentialId: undefined };
const SANE_ID = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/;

/** What the message names, where it was read and names it well. */
function namedIn(call: Call, req: { readonly message: unknown }): Named {
  try {
    const message = req.message as MessageShape<DescMessage>;
    const parent = textOf(call, message, "service_account_id");
    const id = textOf(call, message, "id");
    const isCredential = call.method.input.fields.some(({ name }) => name === "service_account_id");
    return isCredential
      ? { serviceAccountId: parent, credentialId: id }
      : { serviceAccountId: id, credentialId: undefined };
  } catch {
    return NOTHING;
  }
}

function textOf(call: Call, message: MessageShape<DescMessage>, name: string): string | undefined {
  const field = call.method.input.fields.find((candidate) => candidate.name === name);
  if (field?.fieldKind !== "scalar" || field.scalar !== ScalarType.STRING) return undefined;
  const text = String(reflect(call.method.input, message).get(field));
  return SANE_ID.test(text) ? text : undefined;
}
