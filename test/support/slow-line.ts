import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { eventually } from "./eventually.ts";

/** A connection to a door on which answers can be under way for as long as the test likes. */
export async function givenSlowLine(address: string) {
  const { hostname, port } = new URL(`http://${address}`);
  const waiting: (() => void)[] = [];
  const sockets: Socket[] = [];
  let holding = false;
  let passed = Promise.withResolvers<void>();
  const server = createServer((client) => {
    const door = connect(Number(port), hostname);
    sockets.push(client, door);
    for (const socket of [client, door]) socket.on("error", () => {});
    client.on("data", (bytes) => door.write(bytes, () => passed.resolve())).on("close", () => door.destroy());
    const pass = (run: () => void) => (holding ? void waiting.push(run) : run());
    door.on("data", (bytes) => pass(() => client.write(bytes))).on("end", () => pass(() => client.end()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    holdAnswers() {
      holding = true;
      passed = Promise.withResolvers();
    },
    /** Something of the client's has gone to the door since then. */
    passed: () => passed.promise,
    held: () => eventually(() => waiting.length > 0),
    deliver() {
      holding = false;
      for (const run of waiting.splice(0)) run();
    },
    stop() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
