/** The one way to the server. Every failure becomes a `Problem` that people can be told. */

import createClient from "openapi-fetch";
import type { components, paths } from "./schema";

export type Data = NonNullable<components["schemas"]["Problem"]["data"]>;

/** An answer that is not a success, in the terms of RFC 9457. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
    /** What it is about, by name. */
    readonly data: Data = {},
  ) {
    super(detail || title);
  }
}

/** Nothing of ours has answered: there is no network, or a proxy speaks for a server that is away. */
export const unanswered = ({ status, code }: Problem): boolean =>
  status === 0 || ([502, 503, 504].includes(status) && code === `http-${status}`);

let csrf = "";
let signedOut: () => void = () => undefined;

export function useCsrf(token: string): void {
  csrf = token;
}

/** Called whenever the server says that nobody is signed in. */
export function onSignedOut(callback: () => void): void {
  signedOut = callback;
}

export const api = createClient<paths>({ credentials: "same-origin" });

api.use({
  onRequest: ({ request }) => {
    if (request.method !== "GET") request.headers.set("X-CSRF-Token", csrf);
    return request;
  },
});

interface Answer<T> {
  data?: T | undefined;
  error?: unknown;
  response: Response;
}

function problemOf(response: Response, body: unknown): Problem {
  const said = (typeof body === "object" && body !== null ? body : {}) as Partial<
    components["schemas"]["Problem"]
  >;
  return new Problem(
    response.status,
    said.code ?? `http-${response.status}`,
    said.title ?? response.statusText,
    said.detail ?? "",
    said.data ?? {},
  );
}

/** Waits for a call of `api` and gives its data. Throws a `Problem` for everything else. */
export async function answer<T>(call: Promise<Answer<T>>): Promise<T> {
  let got: Answer<T>;
  try {
    got = await call;
  } catch {
    throw new Problem(0, "server-unreachable", "The server cannot be reached", "");
  }
  if (!got.response.ok) {
    const problem = problemOf(got.response, got.error);
    if (problem.code === "not-signed-in") signedOut();
    throw problem;
  }
  return got.data as T;
}

/** Where a browser finds one file of an alert's evidence. */
export const evidenceAddress = (sha256: string, file: string): string =>
  `/api/v1/evidence/${sha256}/${encodeURIComponent(file)}`;

/** Where an alert's coarse picture lies, if it has one: fetching it is no look at the evidence. */
export const thumbnailAddress = (alert: string): string =>
  `/api/v1/alerts/${encodeURIComponent(alert)}/thumbnail`;

/** Where the whole package lies, as its gateway sealed it. */
export const packageAddress = (sha256: string): string => `/api/v1/evidence/${sha256}.zip`;
