/** The one way to the server. Every failure becomes a `Problem` that people can be told. */

/** An answer that is not a success, in the terms of RFC 9457. */
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly title: string,
    readonly detail: string,
  ) {
    super(detail || title);
  }
}

let csrf = "";
let signedOut: () => void = () => undefined;

export function useCsrf(token: string): void {
  csrf = token;
}

/** Called whenever the server says that nobody is signed in. */
export function onSignedOut(callback: () => void): void {
  signedOut = callback;
}

type Query = Record<string, string | number | boolean | null | undefined>;

export function address(path: string, query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== "") search.set(name, String(value));
  }
  const tail = search.toString();
  return `/api/v1/${path}${tail ? `?${tail}` : ""}`;
}

async function problemOf(response: Response): Promise<Problem> {
  const body: unknown = await response.json().catch(() => ({}));
  const said = (typeof body === "object" && body !== null ? body : {}) as Record<string, unknown>;
  const text = (name: string) => (typeof said[name] === "string" ? said[name] : "");
  return new Problem(
    response.status,
    text("code") || `http-${response.status}`,
    text("title") || response.statusText,
    text("detail"),
  );
}

async function send(method: string, url: string, body?: unknown): Promise<unknown> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (method !== "GET") headers["X-CSRF-Token"] = csrf;
  let response: Response;
  try {
    response = await fetch(url, {
      method,
      headers,
      credentials: "same-origin",
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  } catch {
    throw new Problem(0, "server-unreachable", "The server cannot be reached", "");
  }
  if (!response.ok) {
    const problem = await problemOf(response);
    if (problem.status === 401 && problem.code !== "wrong-credentials") signedOut();
    throw problem;
  }
  return response.status === 204 ? null : await response.json().catch(() => null);
}

export const get = <T>(path: string, query?: Query): Promise<T> =>
  send("GET", address(path, query)) as Promise<T>;
export const post = <T>(path: string, body: unknown): Promise<T> =>
  send("POST", address(path), body) as Promise<T>;
export const remove = (path: string): Promise<unknown> => send("DELETE", address(path));
