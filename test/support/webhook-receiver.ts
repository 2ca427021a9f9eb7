import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** What a webhook was sent. */
export interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly body: string;
  /** The body as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look into whatever was sent
  readonly event: any;
}

export interface WebhookReceiver {
  readonly url: string;
  /** All that was sent, in the order in which it came. */
  readonly received: Received[];
  /** Those that were answered with 2xx. */
  readonly accepted: Received[];
  /** Connections that were opened. */
  connections(): number;
  /** From now on answers so. Default: 204 for everything. */
  answer(how: (received: Received, res: ServerResponse) => void | Promise<void>): void;
  stop(): Promise<void>;
}

/** A real receiver on loopback. */
export async function startWebhookReceiver(): Promise<WebhookReceiver> {
  const received: Received[] = [];
  const accepted: Received[] = [];
  let connections = 0;
  const accept = (_: Received, res: ServerResponse) => void res.writeHead(204).end();
  let how: Parameters<WebhookReceiver["answer"]>[0] = accept;
  const server = createServer(async (req, res) => {
    const body = await textOf(req);
    const one = { headers: req.headers, body, event: JSON.parse(body) };
    received.push(one);
    res.on("finish", () => {
      if (res.statusCode < 300) accepted.push(one);
    });
    await how(one, res);
  });
  server.on("connection", () => {
    connections += 1;
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hook`,
    received,
    accepted,
    connections: () => connections,
    answer(next) {
      how = next;
    },
    stop() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

async function textOf(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of req) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Any 32 bytes, as a secret of a webhook. */
export const webhookSecret = (byte = 7): string => `whsec_${Buffer.alloc(32, byte).toString("base64")}`;
