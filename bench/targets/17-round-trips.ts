import { startPostgresProxy } from "../../test/support/postgres-proxy.ts";
import { givenSecrets, VERIFY, verifyMessage } from "../support/checks.ts";
import { createsOverGrpc, givenAccounts } from "../support/creates.ts";
import { openGrpcConnection } from "../support/grpc-connection.ts";
import { percentileOf } from "../support/spread.ts";
import type { Row, Target } from "../support/target.ts";

const CALLS = 100;
const SECRETS = 10;

/** Round trips to the database, which no machine is too busy to count. */
export const target: Target = {
  number: 17,
  title: "round trips to PostgreSQL for each call, one after the other",
  quick: true,
  async run(bench) {
    const database = await bench.database();
    await givenAccounts(database, "creates", CALLS);
    const proxy = await startPostgresProxy(database.serverUrl);
    bench.later(() => proxy.stop());
    const server = await bench.serve({ ...database, serverUrl: proxy.url });
    const checked = await givenSecrets(bench, server, SECRETS);
    const load = await createsOverGrpc(bench, server, { organizationId: "creates", accounts: CALLS });
    const create = await openGrpcConnection(load);
    const verify = await openGrpcConnection({ address: server.grpc, path: VERIFY, token: checked.token });
    bench.later(() => [create, verify].forEach((connection) => void connection.close()));
    const rowOf = async (what: string, call: (n: number) => Promise<boolean>): Promise<Row> => {
      const costs: number[] = [];
      await call(0);
      for (let n = 1; n < CALLS; n += 1) {
        const before = proxy.roundTrips();
        if (!(await call(n))) throw new Error(`${what} failed`);
        costs.push(proxy.roundTrips() - before);
      }
      const inOne = costs.filter((cost) => cost === 1).length;
      return {
        what,
        against: "one round trip",
        // The rest met what the server does beside the calls: it writes last uses, fills in counts and looks after its keys.
        ours: `${inOne} of ${costs.length} calls in one`,
        theirs: "1",
        values: [percentileOf(costs, 0.5)],
        unit: "",
        isCount: true,
        bound: { atMost: 1 },
      };
    };
    const messages = checked.secrets.map(verifyMessage);
    return [
      await rowOf("CreateCredential", (n) => create.call(load.messages[n] as Buffer)),
      await rowOf("VerifyCredential", (n) => verify.call(messages[n % messages.length] as Buffer)),
    ];
  },
};
