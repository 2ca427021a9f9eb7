import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { Interceptor, UnaryRequest, UnaryResponse } from "@connectrpc/connect";
import { type Call, callKey } from "./call.ts";

type AnyRequest = Parameters<ReturnType<Interceptor>>[0];
type Next = ReturnType<Interceptor>;

/** The call that a request belongs to. The doors put it there, so its absence is a defect. */
export function callOf(req: { readonly contextValues: AnyRequest["contextValues"] }): Call {
  const call = req.contextValues.get(callKey);
  if (call === undefined) throw new TypeError("a request reached the chain without its call");
  return call;
}

/** The interceptors around a handler, the first of them outermost: the same order in which Connect applies them. */
export function chain(interceptors: readonly Interceptor[], handler: Next): Next {
  return interceptors.reduceRight((next, interceptor) => interceptor(next), handler);
}

/**
 * A request for the chain whose message is read only when somebody looks at it: a call that is refused by its headers
 * costs no parsing. Headers stay with the call; building a `Headers` a call would cost more than the rest of the chain.
 */
export function lazyRequest(
  call: Call,
  contextValues: AnyRequest["contextValues"],
  read: () => MessageShape<DescMessage>,
): UnaryRequest {
  let message: MessageShape<DescMessage> | undefined;
  return {
    stream: false,
    service: call.method.parent,
    method: call.method,
    requestMethod: "POST",
    url: "",
    signal: call.signal,
    contextValues,
    get header() {
      return new Headers();
    },
    get message() {
      message ??= read();
      return message;
    },
  };
}

export function unaryResponse(call: Call, message: MessageShape<DescMessage>): UnaryResponse {
  return {
    stream: false,
    service: call.method.parent,
    method: call.method,
    message,
    get header() {
      return new Headers();
    },
    get trailer() {
      return new Headers();
    },
  };
}

/** The message of a call that the chain refuses before it looks at it. */
export function neverRead(): never {
  throw new TypeError("the message of a refused call was read");
}
