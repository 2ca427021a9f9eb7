import assert from "node:assert/strict";
import { isPrincipal, VERIFY, verifyMessage } from "../support/checks.ts";
import { openGrpcConnection } from "../support/grpc-connection.ts";
import { callRest, issue } from "../support/rest.ts";
import type { Target } from "../support/target.ts";

const REPETITIONS = 15;

/** What one process deletes, another one refuses, however well it knows the secret. */
export const target: Target = {
  number: 15,
  title: "deleted at one process, refused by another one that has the secret in its cache",
  quick: true,
  async run(bench) {
    const database = await bench.database();
    const [here, there] = [await bench.serve(database), await bench.serve(database)];
    const token = await bench.token("bench");
    await callRest(here, token, ["POST", "/service-accounts"], { id: "sa-bench", displayName: "Bench" });
    const connection = await openGrpcConnection({
      address: there.grpc,
      path: VERIFY,
      token,
      isWanted: isPrincipal,
    });
    bench.later(() => connection.close());
    let accepted = 0;
    for (let n = 0; n < REPETITIONS; n += 1) {
      const { id, clientSecret } = await issue(here, token, "sa-bench");
      const message = verifyMessage(clientSecret);
      const holds = async () => connection.call(message);
      assert.deepEqual([await holds(), await holds()], [true, true]);
      await callRest(here, token, ["DELETE", `/service-accounts/sa-bench/credentials/${id}`]);
      if (await holds()) accepted += 1;
    }
    return [
      {
        what: `checks that began after the delete was answered and were accepted, of ${REPETITIONS}`,
        against: "none",
        ours: String(accepted),
        theirs: "0",
        values: [accepted],
        unit: "",
        isCount: true,
        bound: { atMost: 0 },
      },
    ];
  },
};
