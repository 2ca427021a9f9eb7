/** One call over REST, for what is set up and not measured. @throws Error with the answer when it is a refusal */
export async function callRest<Answer>(
  { http }: { readonly http: string },
  token: string,
  [method, path]: readonly ["POST" | "DELETE", string],
  body?: object,
): Promise<Answer> {
  const res = await fetch(`http://${http}/v1/regions/global/iam${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await res.text();
  if (!res.ok) throw new Error(`${method} ${path}: ${res.status} ${text}`);
  return (text === "" ? undefined : JSON.parse(text)) as Answer;
}

export interface Issued {
  readonly id: string;
  readonly clientSecret: string;
}

export const issue = (server: { readonly http: string }, token: string, accountId: string): Promise<Issued> =>
  callRest(server, token, ["POST", `/service-accounts/${accountId}/credentials`], {});
