/**
 * A gRPC server with our door, our chain of interceptors and our access table, whose VerifyCredential answers the same
 * principal every time: what is left when the check itself is taken out. Its interceptors do all that ours do: they look
 * a token up among those that are known, and write a line a call. It takes every token.
 */
import { cacheVerifiedTokens } from "../src/auth/token-cache.ts";
import { openGrpcDoor } from "../src/door/grpc.ts";
import { LIMITS } from "../src/limits.ts";
import { createLog } from "../src/observability/log.ts";
import { bufferedOutput } from "../src/observability/log-output.ts";
import { createMetrics } from "../src/observability/metrics.ts";
import { createKernel, type KernelOptions } from "../src/rpc/kernel.ts";
import { SERVICES } from "../src/rpc/services.ts";
import { principal } from "./support/principal.ts";

const handlers = Object.fromEntries(
  Object.entries(SERVICES).map(([name]) => [name, {}]),
) as unknown as KernelOptions["handlers"];
handlers.VerificationService = {
  verifyCredential: async () => ({ result: { case: "principal" as const, value: principal } }),
  reportLeakedCredential: async () => ({ received: true }),
};

const caller = {
  issuer: "bench",
  subject: "bench",
  organizationId: "bench",
  roles: ["verifier"],
  expiresAtMs: Number.MAX_SAFE_INTEGER,
};
const kernel = createKernel({
  handlers,
  verifyToken: cacheVerifiedTokens({ verifyToken: async () => caller, keySets: [], now: Date.now }),
  roles: {
    administratorRoles: ["admin"],
    organizationAdministratorRoles: ["admin"],
    verifierRoles: ["verifier"],
    platformVerifierRoles: [],
  },
  recordRefusal: async () => {},
  deadlines: LIMITS,
  log: createLog("info", bufferedOutput()),
  metrics: createMetrics(),
});
const door = await openGrpcDoor({ ...LIMITS, kernel, host: "127.0.0.1", port: 0, reflection: false });
process.stdout.write(`${JSON.stringify({ address: `127.0.0.1:${door.port}` })}\n`);
process.on("SIGTERM", () => process.exit(0));
