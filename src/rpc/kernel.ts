import type { DescMessage, DescMethodUnary, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import type { ConnectRouter, HandlerContext, Interceptor, ServiceImpl } from "@connectrpc/connect";
import type { Log } from "../observability/log.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { Tracing } from "../observability/tracing.ts";
import type { RecordRefusal } from "../service/record-refusal.ts";
import type { RoleRules } from "./access.ts";
import { type Call, type CallOptions, type DeadlineLimits, openCall } from "./call.ts";
import { openCallSpan } from "./call-span.ts";
import { callOf, chain, type Encode, encodedOf, lazyRequest, unaryResponse } from "./chain.ts";
import { auditRefusals } from "./interceptors/audit-refusals.ts";
import { authenticate, type CallerSources, identifyCaller } from "./interceptors/authenticate.ts";
import { authorize, requireAccess } from "./interceptors/authorize.ts";
import { bound } from "./interceptors/bound.ts";
import { record } from "./interceptors/record.ts";
import { shield } from "./interceptors/shield.ts";
import { validate } from "./interceptors/validate.ts";
import { type RpcName, SERVICES, type ServiceName } from "./services.ts";

/** What a handler is: the message and its call in, a message out. */
type Handler<Method> = Method extends {
  input: infer I extends DescMessage;
  output: infer O extends DescMessage;
}
  ? (req: MessageShape<I>, call: Call) => Promise<MessageInitShape<O>>
  : never;

/** The handlers of a service. One missing or left over does not compile. */
export type Handlers<S extends ServiceName> = {
  [R in RpcName<S>]: Handler<(typeof SERVICES)[S]["method"][R]>;
};

export interface KernelOptions extends CallerSources {
  readonly handlers: { [S in ServiceName]: Handlers<S> };
  readonly roles: RoleRules;
  readonly recordRefusal: RecordRefusal;
  readonly deadlines: DeadlineLimits;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Absent where no traces are kept. */
  readonly tracing?: Tracing | undefined;
}

/** The one house behind the doors: every call of every door ends in `invoke`, through the same chain. */
export interface Kernel {
  /** Begins a call: its clock, its deadline, its request id. */
  open(options: CallOptions): Call;
  /**
   * Whether the caller may call, by its headers alone. Doors ask before they read a body. When the answer is no, `invoke`
   * answers with the refusal and never looks at the message. At once, unless the token has to be verified first.
   */
  admits(call: Call): boolean | Promise<boolean>;
  /**
   * Runs the chain and the handler. `read` gives the message, or throws what is wrong with it; `encode` makes of the answer
   * what the door sends.
   * @throws ConnectError with `google.rpc` details.
   */
  invoke<Encoded>(
    call: Call,
    read: () => MessageShape<DescMessage>,
    encode: Encode<Encoded>,
  ): Promise<Encoded>;
  /** The methods that the doors offer. */
  readonly methods: readonly DescMethodUnary[];
  /** The chain, for Connect's own router. */
  readonly interceptors: readonly Interceptor[];
  /** Gives Connect's own router the handlers. It must have been made with `interceptors`. */
  route(router: ConnectRouter): void;
}

type AnyHandler = (req: MessageShape<DescMessage>, call: Call) => Promise<MessageInitShape<DescMessage>>;

/** Why this order: docs/adr/0002. Outer ones must see what inner ones refuse. */
const interceptorsOf = (options: KernelOptions): Interceptor[] => [
  record(options.log, options.metrics),
  shield(options.log),
  bound,
  auditRefusals(options.recordRefusal),
  authenticate(options),
  authorize(options.roles),
  validate(),
];

export function createKernel(options: KernelOptions): Kernel {
  const { tracing } = options;
  const interceptors = interceptorsOf(options);
  const handlers = options.handlers as unknown as Record<string, Record<string, AnyHandler>>;
  const methods = Object.values(SERVICES).flatMap((service) =>
    Object.values(service.method),
  ) as DescMethodUnary[];
  const handlerOf = (method: DescMethodUnary) =>
    handlers[method.parent.name]?.[method.localName] as AnyHandler;
  const invoke = chain(interceptors, async (req) => {
    const call = callOf(req);
    const init = await handlerOf(call.method)(req.message as MessageShape<DescMessage>, call);
    return unaryResponse(req, call, create(call.method.output, init));
  });

  const mayAccess = (call: Call): boolean => {
    try {
      requireAccess(call, options.roles);
      return true;
    } catch {
      return false;
    }
  };

  return {
    open: (callOptions) =>
      openCall(callOptions, options.deadlines, tracing && openCallSpan(tracing, callOptions)),
    admits(call) {
      try {
        const pending = identifyCaller(options, call);
        if (pending === undefined) return mayAccess(call);
        return pending.then(
          () => mayAccess(call),
          () => false,
        );
      } catch {
        return false;
      }
    },
    async invoke<Encoded>(call: Call, read: () => MessageShape<DescMessage>, encode: Encode<Encoded>) {
      return encodedOf(await invoke(lazyRequest(call, read, encode))) as Encoded;
    },
    methods,
    interceptors,
    route(router) {
      for (const service of Object.values(SERVICES)) {
        const implementation = Object.fromEntries(
          Object.values(service.method).map((method) => [
            method.localName,
            (req: MessageShape<DescMessage>, context: HandlerContext) =>
              handlerOf(method as DescMethodUnary)(req, callOf({ contextValues: context.values })),
          ]),
        );
        router.service(service, implementation as unknown as ServiceImpl<typeof service>);
      }
    },
  };
}
