/** A function, as V8's profiler has it (`Runtime.CallFrame` of the DevTools protocol). */
export interface Frame {
  readonly functionName: string;
  /** Of its file: `file:///…`, `node:net`; empty for what is native. */
  readonly url: string;
  /** From 0. */
  readonly lineNumber: number;
}

/** Time in which there was nothing to do. */
export const IDLE = "idle";
/** What no JavaScript has called, or what it has called as it ran out of the profiler's sight: libuv, nghttp2, system calls. */
export const NATIVE = "native code and the kernel";

const NODE = "other code of Node";

/** The first that fits. */
const AREAS: readonly (readonly [file: RegExp, area: string])[] = [
  [/\/node_modules\/postgres\//, "driver `postgres`"],
  [/\/node_modules\/@bufbuild\//, "Protobuf"],
  [/\/node_modules\/@connectrpc\//, "Connect"],
  [/\/node_modules\/@grpc\//, "grpc-js"],
  [/\/node_modules\/prom-client\//, "metrics"],
  [/\/node_modules\//, "other packages"],
  [/\/src\/door\//, "our doors"],
  [/\/src\/rpc\//, "our interceptors and handlers"],
  [/\/src\/(service|domain)\//, "our service and domain"],
  [/\/src\/storage\//, "our storage"],
  [/\/src\/auth\//, "our tokens, secrets and hashes"],
  [/\/src\/observability\//, "our log"],
  [/^file:/, "other code of ours"],
  [/^node:(internal\/)?crypto/, "Node's crypto"],
  [/^node:(internal\/)?http2/, "Node's HTTP/2"],
  [/^node:(_http_|internal\/http)/, "Node's HTTP/1.1"],
  [/^node:(net|internal\/(streams\/|stream_base_commons))/, "Node's sockets and streams"],
  [
    /^node:(events|timers|internal\/(event_target|abort_controller|timers|process\/|async_hooks))/,
    "Node's events, timers and promises",
  ],
];

const NATIVE_AREAS: Readonly<Record<string, string>> = { "(garbage collector)": "garbage", "(idle)": IDLE };

/** Where a function belongs. What is native, such as a regular expression or a write to a socket, belongs to who calls it. */
export function areaOf({ functionName, url }: Frame, areaOfCaller: string): string {
  if (url === "") return NATIVE_AREAS[functionName] ?? areaOfCaller;
  return AREAS.find(([file]) => file.test(url))?.[1] ?? NODE;
}
