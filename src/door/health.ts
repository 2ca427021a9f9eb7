import { type Server, ServerInterceptingCall, type ServerInterceptor, status } from "@grpc/grpc-js";
import { HealthImplementation } from "grpc-health-check";

/** Whether calls should be sent here. */
export interface DoorReadiness {
  /** Calls back at once and at every change. */
  watch(listener: (isReady: boolean) => void): void;
}

export interface HealthService {
  /** For the calls that are none of ours. */
  readonly interceptor: ServerInterceptor;
  addToServer(server: Server): void;
  /** Says NOT_SERVING to those who watch and ends their calls, which would have none otherwise. */
  end(): void;
}

const WATCH = "/grpc.health.v1.Health/Watch";

/**
 * `grpc.health.v1`: Check, Watch and List, for the server (`""`) and each of its services. All of them are as ready as the
 * server is: they share the database and the keys.
 */
export function createHealth(services: readonly string[], readiness: DoorReadiness): HealthService {
  const names = ["", ...services];
  const health = new HealthImplementation();
  let said: boolean | undefined;
  const say = (isServing: boolean) => {
    if (isServing === said) return;
    said = isServing;
    for (const name of names) health.setStatus(name, isServing ? "SERVING" : "NOT_SERVING");
  };
  readiness.watch(say);
  const watches = new Set<() => void>();
  return {
    addToServer: (server) => health.addToServer(server),
    interceptor: (definition, call) => {
      if (definition.path !== WATCH) return new ServerInterceptingCall(call);
      const end = () => call.sendStatus({ code: status.UNAVAILABLE, details: "the server is shutting down" });
      watches.add(end);
      return new ServerInterceptingCall(call, {
        start: (next) =>
          next({
            onReceiveMetadata: (metadata, next) => next(metadata),
            onReceiveMessage: (message, next) => next(message),
            onReceiveHalfClose: (next) => next(),
            onCancel: () => watches.delete(end),
          }),
      });
    },
    end() {
      say(false);
      for (const end of watches) end();
      watches.clear();
    },
  };
}
