const GRPC_UNIT_MS: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 1e-3, n: 1e-6 };

/**
 * Milliseconds that a client gives by `Connect-Timeout-Ms` or `grpc-timeout`; `undefined` when it does not say, or not in
 * its protocol's syntax: the server's own deadline holds then.
 */
export function timeoutMsOf(header: (name: string) => string | undefined): number | undefined {
  const connect = header("connect-timeout-ms");
  if (connect !== undefined && /^\d{1,10}$/.test(connect)) return Number(connect);
  const [, digits, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(header("grpc-timeout") ?? "") ?? [];
  return digits === undefined ? undefined : Number(digits) * (GRPC_UNIT_MS[unit] ?? 1);
}
