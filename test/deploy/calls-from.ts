import { request } from "node:http";
import { connect } from "node:http2";
import { connect as connectTcp } from "node:net";
import { credentialsPath } from "../support/clients.ts";
import { type Answer, encodeCreate } from "../support/doors.ts";
import { CREATE_PATH, frame, grpcAnswer } from "../support/raw-grpc.ts";

/** One create by somebody whose own address is this one of the loopback network. */
export interface CallFrom {
  readonly localAddress: string;
  readonly accountId: string;
  readonly token: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Through REST. Resolves to the HTTP status. */
export function restCreateFrom(httpUrl: string, call: CallFrom): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const headers = {
    "content-type": "application/json",
    authorization: `Bearer ${call.token}`,
    ...call.headers,
  };
  const options = { method: "POST", headers, localAddress: call.localAddress, agent: false };
  request(httpUrl + credentialsPath(call.accountId), options, (res) => {
    res.resume().once("end", () => resolve(res.statusCode ?? 0));
  })
    .once("error", reject)
    .end("{}");
  return promise;
}

/** Through gRPC. */
export async function grpcCreateFrom(grpcAddress: string, call: CallFrom): Promise<Answer> {
  const [host = "", port = ""] = grpcAddress.split(":");
  const { localAddress } = call;
  const session = connect(`http://${grpcAddress}`, {
    createConnection: () => connectTcp({ host, port: Number(port), localAddress }),
  });
  try {
    const stream = session.request({
      ":method": "POST",
      ":path": CREATE_PATH,
      "content-type": "application/grpc",
      te: "trailers",
      authorization: `Bearer ${call.token}`,
      ...call.headers,
    });
    const answer = grpcAnswer(stream);
    stream.end(frame(encodeCreate({ serviceAccountId: call.accountId })));
    return await answer;
  } finally {
    session.close();
  }
}
