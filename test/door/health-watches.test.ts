import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { Client, credentials, status } from "@grpc/grpc-js";
import { service } from "grpc-health-check";
import { type GivenDoors, givenDoors } from "../support/given-doors.ts";

const WATCHES = 400;
const NAME_BYTES = 60_000;

let doors: GivenDoors;
let client: Client;
before(async () => {
  doors = await givenDoors();
  client = new Client(doors.grpcAddress, credentials.createInsecure());
});
after(async () => {
  client.close();
  await doors.stop();
});

const { path, requestSerialize, responseDeserialize } = service["Watch"] as unknown as {
  readonly path: string;
  readonly requestSerialize: (value: object) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => { readonly status: string };
};

/** Watches what there is none of until it has been told so, and leaves. */
async function watchAndLeave(n: number): Promise<string> {
  const request = { service: `${n}`.padEnd(NAME_BYTES, ".") };
  const call = client.makeServerStreamRequest(path, requestSerialize, responseDeserialize, request);
  const ended = new Promise<number>((resolve) =>
    call.on("error", ({ code }: { code: number }) => resolve(code)),
  );
  const heard = await new Promise<string>((resolve) => call.once("data", (said) => resolve(said.status)));
  call.cancel();
  assert.equal(await ended, status.CANCELLED);
  return heard;
}

function usedBytes(): number {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  return process.memoryUsage().heapUsed;
}

test("a watch that has been left leaves nothing behind, least of all the name that it asked for", async () => {
  for (let n = 0; n < 20; n += 1) assert.equal(await watchAndLeave(n), "SERVICE_UNKNOWN");
  const before = usedBytes();
  for (let n = 0; n < WATCHES; n += 1) await watchAndLeave(n);
  const grownBytes = usedBytes() - before;
  // All the names together would be 24 MB.
  assert.ok(grownBytes < (WATCHES * NAME_BYTES) / 4, `${grownBytes} bytes more`);
});
