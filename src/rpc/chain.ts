import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import {
  type ContextValues,
  createContextValues,
  type Interceptor,
  type UnaryRequest,
  type UnaryResponse,
} from "@connectrpc/connect";
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

/** Makes of an answer what the door sends. */
export type Encode<Encoded> = (message: MessageShape<DescMessage>) => Encoded;

interface LazyRequest extends UnaryRequest {
  readonly read: () => MessageShape<DescMessage>;
  readonly encode: Encode<unknown>;
  known: MessageShape<DescMessage> | undefined;
}

interface EncodedResponse extends UnaryResponse {
  readonly encoded: unknown;
}

/** As long as it is being made. */
type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/**
 * What all requests have in common stands here once: accessors and methods of its own would be most of what a call costs. So would
 * a literal with `__proto__`, for which V8 goes to its runtime.
 */
const REQUEST: Pick<LazyRequest, "stream" | "requestMethod" | "url" | "header" | "message"> = {
  stream: false,
  requestMethod: "POST",
  url: "",
  get header() {
    return new Headers();
  },
  get message() {
    const request = this as LazyRequest;
    request.known ??= request.read();
    return request.known;
  },
};

const RESPONSE: Pick<UnaryResponse, "stream" | "header" | "trailer"> = {
  stream: false,
  get header() {
    return new Headers();
  },
  get trailer() {
    return new Headers();
  },
};

const NO_VALUES: ContextValues = createContextValues();

/**
 * A request for the chain whose message is read only when somebody looks at it: a call that is refused by its headers
 * costs no parsing. Headers stay with the call; building a `Headers` a call would cost more than the rest of the chain.
 */
export function lazyRequest(
  call: Call,
  read: () => MessageShape<DescMessage>,
  encode: Encode<unknown>,
): UnaryRequest {
  const request: Mutable<LazyRequest> = Object.create(REQUEST);
  request.service = call.method.parent;
  request.method = call.method;
  request.signal = call.signal;
  request.contextValues = (Object.create(NO_VALUES) as ContextValues).set(callKey, call);
  request.read = read;
  request.encode = encode;
  request.known = undefined;
  return request;
}

/**
 * The answer to a request of `lazyRequest`. It is encoded here, inside the chain, so that what cannot be encoded is logged
 * and counted as the failure that its caller sees.
 */
export function unaryResponse(req: object, call: Call, message: MessageShape<DescMessage>): UnaryResponse {
  const response: Mutable<EncodedResponse> = Object.create(RESPONSE);
  response.service = call.method.parent;
  response.method = call.method;
  response.message = message;
  response.encoded = (req as LazyRequest).encode(message);
  return response;
}

/** What `encode` has made of the answer. */
export const encodedOf = (res: object): unknown => (res as EncodedResponse).encoded;

/** The message of a call that the chain refuses before it looks at it. */
export function neverRead(): never {
  throw new TypeError("the message of a refused call was read");
}

/** The answer of a call that was refused. */
export function neverEncoded(): never {
  throw new TypeError("a refused call was answered");
}
