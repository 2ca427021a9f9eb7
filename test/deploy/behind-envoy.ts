import { after, before } from "node:test";
import { credentialsPath, type RestAnswer, rest } from "../support/clients.ts";
import { givenKeyturn, type TestKeyturn } from "../support/keyturn.ts";
import { givenEnvoy } from "./given-envoy.ts";
import { skipWithout } from "./tool.ts";

type Init = Parameters<typeof rest>[2];

/** Keyturn with Envoy in front of it, for all tests of a file. Where there is no Envoy, `skip` says so. */
export interface BehindEnvoy {
  readonly skip: string | false;
  readonly own: () => TestKeyturn;
  readonly envoy: () => { readonly httpUrl: string; readonly grpcAddress: string };
  /** A service account of its own, the path of its credentials, and a token of its administrator. */
  given(): Promise<{ readonly id: string; readonly path: string; readonly token: string }>;
  /** One request to Keyturn's own REST edge, and to Envoy. */
  both(path: string, init: Init): Promise<{ readonly own: RestAnswer; readonly transcoded: RestAnswer }>;
}

export function behindEnvoy(): BehindEnvoy {
  const skip = skipWithout("envoy");
  const endings: (() => unknown)[] = [];
  let keyturn: TestKeyturn;
  let envoy: ReturnType<BehindEnvoy["envoy"]>;
  before(async () => {
    if (skip !== false) return;
    keyturn = await givenKeyturn();
    endings.push(() => keyturn.stop());
    envoy = await givenEnvoy({ after: (ending) => void endings.push(ending) }, keyturn.grpcAddress);
  });
  after(async () => {
    for (const ending of endings.toReversed()) await ending();
  });
  return {
    skip,
    own: () => keyturn,
    envoy: () => envoy,
    async given() {
      const { organizationId, id } = await keyturn.givenAccount();
      return { id, path: credentialsPath(id), token: await keyturn.token(organizationId) };
    },
    both: async (path, init) => ({
      own: await rest(keyturn, path, init),
      transcoded: await rest(envoy, path, init),
    }),
  };
}

/** A POST with this JSON; a text goes as it stands. */
export const json = (body: unknown) => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: typeof body === "string" ? body : JSON.stringify(body),
});
