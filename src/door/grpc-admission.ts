import type { DescMethod, DescMethodUnary } from "@bufbuild/protobuf";
import { type Metadata, ServerInterceptingCall, type ServerInterceptor } from "@grpc/grpc-js";
import { type Fault, FaultError } from "../domain/fault.ts";
import type { Call } from "../rpc/call.ts";
import { neverEncoded, neverRead } from "../rpc/chain.ts";
import type { Kernel } from "../rpc/kernel.ts";
import { timeoutMsOf } from "../rpc/timeout.ts";
import type { ClientAddressOf } from "./client-address.ts";
import { readClientCertificate } from "./client-certificate.ts";
import { answer, faultOfStatus } from "./grpc-status.ts";
import { TIMEOUT_HEADER } from "./http2-server.ts";

export const pathOf = (method: DescMethod) => `/${method.parent.typeName}/${method.name}`;

/**
 * Runs when the headers of a call have come, before any of its body is asked for: a caller who is refused by his token
 * is answered at once, and a body that never comes ends with the call's deadline. Health and reflection ask for no token.
 */
export function admission(
  kernel: Kernel,
  calls: WeakMap<Metadata, Call>,
  clientAddressOf: ClientAddressOf,
  messageBytesMax: number,
): ServerInterceptor {
  const methods = new Map(kernel.methods.map((method) => [pathOf(method), method]));
  return (definition, stream) => {
    const method = methods.get(definition.path);
    if (method === undefined) return new ServerInterceptingCall(stream);
    let call: Call | undefined;
    let isRefused = false;
    const send = stream.sendStatus.bind(stream);
    const refuse = (refused: Call, read: () => never) => {
      isRefused = true;
      void kernel.invoke(refused, read, neverEncoded).catch(() => send(answer(refused)));
    };
    // On the object itself, for what grpc-js refuses without us (an oversize message, a bad frame) takes no other way
    // out. It goes through the chain like any refusal, and gets its reason, log line and count there.
    stream.sendStatus = (status) => {
      if (isRefused) return;
      if (call === undefined || call.answered) send(status);
      else refuse(call, () => raise(faultOfStatus(status.code, messageBytesMax)));
    };
    return new ServerInterceptingCall(stream, {
      start: (next) =>
        next({
          onReceiveMetadata(metadata, admit) {
            const opened = openCall(kernel, clientAddressOf, method, metadata, stream);
            call = opened;
            calls.set(metadata, opened);
            opened.signal.addEventListener("abort", () => opened.answered || refuse(opened, neverRead), {
              once: true,
            });
            const proceed = (isAdmitted: boolean) => {
              if (opened.answered) return;
              if (isAdmitted) admit(metadata);
              else refuse(opened, neverRead);
            };
            const admitted = kernel.admits(opened);
            if (admitted instanceof Promise) void admitted.then(proceed);
            else proceed(admitted);
          },
          onReceiveMessage: (message, next) => next(message),
          onReceiveHalfClose: (next) => next(),
          onCancel: () => call?.abandon(),
        }),
    });
  };
}

function openCall(
  kernel: Kernel,
  clientAddressOf: ClientAddressOf,
  method: DescMethodUnary,
  metadata: Metadata,
  stream: Pick<ServerInterceptingCall, "getPeer" | "getAuthContext">,
): Call {
  const peer = stream.getPeer().replace(/:\d+$/, "");
  return kernel.open({
    method,
    door: "grpc",
    clientAddress: clientAddressOf(peer, headerOf(metadata, "x-forwarded-for")),
    header: (name) => headerOf(metadata, name),
    clientCertificate: () => readClientCertificate(stream.getAuthContext().sslPeerCertificate),
    timeoutMs: timeoutMsOf((name) =>
      name === "grpc-timeout" ? headerOf(metadata, TIMEOUT_HEADER) : undefined,
    ),
  });
}

/** A header that was sent twice is both: two tokens are no token. */
function headerOf(metadata: Metadata, name: string): string | undefined {
  const values = metadata.get(name);
  return values.length === 0 ? undefined : values.join(", ");
}

function raise(fault: Fault): never {
  throw new FaultError(fault);
}
