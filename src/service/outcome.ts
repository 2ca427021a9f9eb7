import { refused } from "../domain/fault.ts";
import type { Outcome } from "../storage/mutation.ts";

/** The value of a mutation that took effect. @throws FaultError what the database refused, and has recorded. */
export async function valueWritten<Value>(outcome: Promise<Outcome<Value>>): Promise<Value> {
  const settled = await outcome;
  if (settled.kind === "refused") throw refused(settled.fault);
  return settled.value;
}
