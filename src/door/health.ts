import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import {
  Health,
  type HealthCheckRequest,
  HealthCheckResponse_ServingStatus as Status,
} from "../../gen/health/v1/health_pb.ts";
import { pathOf } from "./grpc-calls.ts";

/** Whether calls should be sent here. */
export interface DoorReadiness {
  /** Calls back at once and at every change. */
  watch(listener: (isReady: boolean) => void): void;
}

export interface HealthService {
  addToServer(server: Server): void;
  /** Says NOT_SERVING to those who watch and ends their calls, which would have none otherwise. */
  end(): void;
}

type Watch = ServerWritableStream<HealthCheckRequest, Status>;

const { check, list, watch: watching } = Health.method;

/**
 * `grpc.health.v1`: Check, Watch and List, for the server (`""`) and each of its services. All of them are as ready as the
 * server is: they share the database and the keys. Who asks needs no token, so nothing that he names is kept: a watch is
 * one entry that leaves with its call, and the streams of a connection are bounded.
 */
export function createHealth(services: readonly string[], readiness: DoorReadiness): HealthService {
  const names = ["", ...services];
  /** Each with whether there is such a service. */
  const watches = new Map<Watch, boolean>();
  let serving: Status = Status.NOT_SERVING;
  const say = (isServing: boolean) => {
    const said = serving;
    serving = isServing ? Status.SERVING : Status.NOT_SERVING;
    if (serving === said) return;
    for (const [watch, isKnown] of watches) if (isKnown) watch.write(serving);
  };
  readiness.watch(say);

  function watch(call: Watch): void {
    const isKnown = names.includes(call.request.service);
    watches.set(call, isKnown);
    call.once("cancelled", () => watches.delete(call));
    call.write(isKnown ? serving : Status.SERVICE_UNKNOWN);
  }
  return {
    addToServer(server) {
      server.register<HealthCheckRequest, Status>(
        pathOf(check),
        ({ request }: ServerUnaryCall<HealthCheckRequest, Status>, respond: sendUnaryData<Status>) => {
          if (names.includes(request.service)) respond(null, serving);
          else respond({ code: status.NOT_FOUND, details: "there is no such service" });
        },
        toAnswer,
        (bytes) => fromBinary(check.input, bytes),
        "unary",
      );
      server.register<object, Status>(
        pathOf(list),
        (_: ServerUnaryCall<object, Status>, respond: sendUnaryData<Status>) => respond(null, serving),
        (said) => toList(names, said),
        (bytes) => fromBinary(list.input, bytes),
        "unary",
      );
      server.register<HealthCheckRequest, Status>(
        pathOf(watching),
        watch,
        toAnswer,
        (bytes) => fromBinary(watching.input, bytes),
        "serverStream",
      );
    },
    end() {
      say(false);
      for (const call of watches.keys())
        call.emit("error", { code: status.UNAVAILABLE, details: "the server is shutting down" });
      watches.clear();
    },
  };
}

const toAnswer = (said: Status): Buffer =>
  Buffer.from(toBinary(check.output, create(check.output, { status: said })));

function toList(names: readonly string[], said: Status): Buffer {
  const statuses = Object.fromEntries(names.map((name) => [name, { status: said }]));
  return Buffer.from(toBinary(list.output, create(list.output, { statuses })));
}
