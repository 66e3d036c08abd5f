/** What a browser keeps without a network: whole pages, and each account's entries for itself. */

import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { expect, test, vi } from "vitest";
import { Problem } from "../src/lib/api/client";

vi.stubGlobal("addEventListener", () => undefined);
vi.stubGlobal("navigator", {});
vi.mock("../src/lib/problem", () => ({ keptWords: () => Promise.resolve("") }));

const { outbox } = await import("../src/lib/offline/outbox.svelte");
const { openWithoutNetwork } = await import("../src/lib/offline/app");
const { sendPhotograph } = await import("../src/domains/water/site/sending");
const { isPhotograph } = await import("../src/lib/upload");

const ORIGIN = "https://city.example";
const source = readFileSync(new URL("../public/offline.js", import.meta.url), "utf8");

interface Message {
  data: { keep: string[] };
  ports: { postMessage: (whole: boolean) => void }[];
  waitUntil: (work: Promise<unknown>) => void;
}

interface Wanted {
  request: { method: string; url: string; mode: string };
  respondWith: (answer: Promise<Response>) => void;
}

/** The service worker, with a server and a cache of ours. */
function worker(served: Map<string, string>) {
  const kept = new Map<string, string>();
  const listeners = new Map<string, (event: Message | Wanted) => void>();
  const network: { away: boolean; says?: number } = { away: false };
  const cache = {
    match: (url: string, { ignoreSearch = false } = {}) => {
      const named = (one: string) => {
        const { origin, pathname, search } = new URL(one, ORIGIN);
        return origin + pathname + (ignoreSearch ? "" : search);
      };
      const [, text] = [...kept].find(([one]) => named(one) === named(url)) ?? [];
      return Promise.resolve(text === undefined ? undefined : new Response(text));
    },
    put: async (url: string, answer: Response) => void kept.set(url, await answer.text()),
    keys: () => Promise.resolve([...kept.keys()].map((url) => ({ url }))),
    delete: ({ url }: { url: string }) => Promise.resolve(kept.delete(url)),
  };
  const fetch = (asked: string | { url: string }) => {
    if (network.away) return Promise.reject(new TypeError("Failed to fetch"));
    const url = typeof asked === "string" ? asked : asked.url;
    const found = served.get(new URL(url, ORIGIN).pathname);
    const status = network.says ?? (found === undefined ? 404 : 200);
    return Promise.resolve(new Response(found ?? "", { status }));
  };
  runInNewContext(source, {
    self: {
      importScripts: () => undefined,
      location: { origin: ORIGIN },
      addEventListener: (name: string, act: (event: Message | Wanted) => void) =>
        listeners.set(name, act),
    },
    caches: { open: () => Promise.resolve(cache) },
    fetch,
    Response,
    URL,
  });
  const keep = (...paths: string[]) =>
    new Promise<boolean>((answered) => {
      listeners.get("message")?.({
        data: { keep: paths },
        ports: [{ postMessage: answered }],
        waitUntil: (work) => void work.catch(() => undefined),
      });
    });
  /** What a page is answered that asks for this; ``null`` where that is left to the browser. */
  const ask = async (path: string, mode = "cors", method = "GET") => {
    const answers: Promise<Response>[] = [];
    listeners.get("fetch")?.({
      request: { method, url: ORIGIN + path, mode },
      respondWith: (answer) => void answers.push(answer),
    });
    const [answer] = await Promise.all(answers);
    if (answer === undefined) return null;
    return answer.ok ? await answer.text() : answer.status;
  };
  const names = () => [...kept.keys()].map((url) => url.slice(ORIGIN.length)).sort();
  return { keep, names, ask, network };
}

const page = (script: string): string => `<script type="module" src="${script}"></script>`;

test("a page is kept with every file that it names, also after an upgrade", async () => {
  const served = new Map([
    ["/", page("/assets/one.js")],
    ["/assets/one.js", "1"],
  ]);
  const { keep, names } = worker(served);
  expect(await keep("/", "/assets/one.js")).toBe(true);
  expect(names()).toEqual(["/", "/assets/one.js"]);

  // Upgraded while the old page is open: it has loaded nothing of what the new one names.
  served.delete("/assets/one.js");
  served.set("/", page("/assets/two.js")).set("/assets/two.js", "2");
  await keep("/", "/assets/one.js");
  expect(names()).toContain("/assets/two.js");
  await keep("/", "/assets/two.js");
  expect(names()).toEqual(["/", "/assets/two.js"]);

  // What cannot be kept whole leaves what is there, and the page is told so.
  served.set("/", page("/assets/three.js"));
  expect(await keep("/", "/assets/three.js")).toBe(false);
  expect(names()).toEqual(["/", "/assets/two.js"]);
});

test("a page that asks for a kept file once more, under another query, is given it", async () => {
  const served = new Map([
    ["/", page("/assets/one.js")],
    ["/assets/one.js", 'const load = () => import("./form.js")'],
    ["/assets/form.js", "form"],
  ]);
  const { keep, ask, network } = worker(served);
  expect(await keep("/")).toBe(true);
  // Upgraded meanwhile: the server has no such file any more.
  served.delete("/assets/form.js");
  expect(await ask("/assets/form.js?again=1")).toBe("form");
  expect(await ask("/assets/other.js?again=2")).toBe(404);
  network.away = true;
  expect(await ask("/assets/form.js?again=3")).toBe("form");
  expect(await ask("/assets/other.js?again=4")).toBe(0);
  // Whatever page is opened, it is the one that all begin with; nothing of the API is answered.
  expect(await ask("/family?person=2", "navigate")).toBe(served.get("/"));
  expect(await ask("/api/v1/people/mine")).toBeNull();
  expect(await ask("/api/v1/dossier.zip", "navigate")).toBeNull();
  expect(await ask("/assets/form.js", "cors", "POST")).toBeNull();
});

test("a page opens where a proxy answers for a server that is away", async () => {
  const served = new Map([
    ["/", page("/assets/one.js")],
    ["/assets/one.js", "1"],
    ["/site/1", "as the server has it"],
  ]);
  const { keep, ask, network } = worker(served);
  const open = (path: string) => ask(path, "navigate");
  network.says = 502;
  expect(await open("/site/1")).toBe(502); // nothing is kept yet: as it is answered

  delete network.says;
  await keep("/", "/assets/one.js");
  expect(await open("/site/1")).toBe("as the server has it");
  network.says = 502;
  expect(await open("/site/1")).toBe(page("/assets/one.js"));
  network.says = 404; // an answer of the server's own
  expect(await open("/site/1")).toBe(404);
});

test("what was written waits while a proxy answers for the server", async () => {
  const tried: string[] = [];
  let away = true;
  outbox.sends("proxied", ({ key }) => {
    tried.push(key);
    return away
      ? Promise.reject(new Problem(502, "http-502", "Bad Gateway", ""))
      : Promise.resolve();
  });
  const entry = { kind: "proxied", label: "", body: {}, file: null };
  await outbox.open("ana");
  await outbox.add({ ...entry, key: "note", subject: "case-1" });
  await outbox.add({ ...entry, key: "sample", subject: "case-2" });
  expect(tried).toEqual(["note", "note"]); // nothing else is tried before that one
  expect(outbox.away).toBe(true);

  away = false;
  await outbox.send();
  expect(outbox.entries).toEqual([]);
  outbox.close();
});

test("what was thrown away in one tab does not leave from another", async () => {
  const sent: string[] = [];
  let fails = true;
  outbox.sends("discarded", ({ key }) => {
    if (fails) return Promise.reject(new Problem(0, "server-unreachable", "", ""));
    sent.push(key);
    return Promise.resolve();
  });
  const entry = { kind: "discarded", label: "", body: {}, file: null, subject: "case-1" };
  await outbox.open("ana");
  await outbox.add({ ...entry, key: "mistaken" });
  await outbox.add({ ...entry, key: "meant" });

  const other = new BroadcastChannel("vigil.outbox");
  other.postMessage("mistaken");
  await vi.waitFor(() => expect(outbox.entries.map(({ key }) => key)).toEqual(["meant"]));
  other.close();
  fails = false;
  await outbox.send();
  expect(sent).toEqual(["meant"]);
  outbox.close();
});

test("what one account wrote does not leave with another's session", async () => {
  const sent: string[] = [];
  let away = true;
  outbox.sends("test", ({ account }) => {
    if (away) return Promise.reject(new Problem(0, "server-unreachable", "", ""));
    sent.push(account);
    return Promise.resolve();
  });
  const entry = { key: "key-1", kind: "test", subject: "case", label: "", body: {}, file: null };
  await outbox.open("ana");
  await outbox.add(entry);
  away = false;
  await outbox.signedIn("bo");
  expect(sent).toEqual([]);

  away = true;
  await outbox.open("ana");
  await outbox.add(entry);
  away = false;
  await outbox.signedIn("ana");
  expect(sent).toEqual(["ana"]);
  outbox.close();
});

test("what was written later of the same subject does not overtake", async () => {
  vi.useFakeTimers();
  const tried: string[] = [];
  let away = true;
  let failures = 1;
  outbox.sends("ordered", ({ key }) => {
    if (away) return Promise.reject(new Problem(0, "server-unreachable", "", ""));
    tried.push(key);
    if (key === "note" && failures-- > 0)
      return Promise.reject(new Problem(503, "database-unavailable", "", ""));
    return Promise.resolve();
  });
  const entry = { kind: "ordered", label: "", body: {}, file: null };
  await outbox.open("ana");
  await outbox.add({ ...entry, key: "note", subject: "case-1" });
  await outbox.add({ ...entry, key: "close", subject: "case-1" });
  await outbox.add({ ...entry, key: "other", subject: "case-2" });

  away = false;
  await outbox.send();
  expect(tried).toEqual(["note", "other"]);

  vi.setSystemTime(Date.now() + 11_000);
  await outbox.send();
  expect(tried).toEqual(["note", "other", "note", "close"]);

  // One that the server never takes is shown, and holds up nothing any more.
  failures = 99;
  tried.length = 0;
  await outbox.add({ ...entry, key: "note", subject: "case-1" });
  await outbox.add({ ...entry, key: "close", subject: "case-1" });
  for (let turn = 0; turn < 4; turn++) {
    vi.setSystemTime(Date.now() + 300_000);
    await outbox.send();
  }
  expect(tried.filter((key) => key === "close")).toEqual(["close"]);
  expect(outbox.entries.map(({ key, failing }) => [key, failing?.code])).toEqual([
    ["note", "database-unavailable"],
  ]);
  outbox.close();
  vi.useRealTimers();
});

test("a photograph that the browser has lost is refused, and holds up nothing", async () => {
  const sent: string[] = [];
  outbox.sends("lost", sendPhotograph);
  outbox.sends("noted", ({ key }) => {
    sent.push(key);
    return Promise.resolve();
  });
  const unreadable = () => Promise.reject(new DOMException("gone", "NotReadableError"));
  const file = Object.assign(new Blob(["x"]), { arrayBuffer: unreadable });
  const entry = { subject: "case-1", label: "", file: null };
  await outbox.open("ana");
  await outbox.add({ ...entry, key: "picture", kind: "lost", body: { text: "" }, file });
  await outbox.add({ ...entry, key: "words", kind: "noted", body: {} });

  expect(sent).toEqual(["words"]);
  expect(outbox.entries.map(({ key, refused }) => [key, refused?.code])).toEqual([
    ["picture", "upload-unreadable"],
  ]);
  outbox.close();
});

test("what is no picture is found out while it can be taken again", async () => {
  const begins = (...bytes: number[]) =>
    new Blob([new Uint8Array([...bytes, ...Array(20).fill(0)])]);
  const word = (text: string) => [...text].map((one) => one.charCodeAt(0));
  expect(await isPhotograph(begins(0xff, 0xd8, 0xff, 0xe1))).toBe(true);
  expect(await isPhotograph(begins(0x89, ...word("PNG")))).toBe(true);
  expect(await isPhotograph(begins(...word("RIFF"), 1, 2, 3, 4, ...word("WEBP")))).toBe(true);
  expect(await isPhotograph(begins(0, 0, 0, 24, ...word("ftypheic")))).toBe(false);
  expect(await isPhotograph(new Blob([]))).toBe(false);
  const gone = { slice: () => gone, arrayBuffer: () => Promise.reject(new DOMException("gone")) };
  expect(await isPhotograph(gone as unknown as Blob)).toBe(false);
});

test("a worker's scripts never come from the browser's own cache", async () => {
  const asked: unknown[] = [];
  const register = (path: string, options?: object) => {
    asked.push([path, options]);
    return Promise.resolve();
  };
  const serviceWorker = { register, ready: Promise.resolve({ active: null }) };
  vi.stubGlobal("localStorage", { setItem: () => undefined });
  vi.stubGlobal("navigator", { serviceWorker });
  expect(await openWithoutNetwork({ username: "ana" })).toBe(false);
  expect(asked).toEqual([["/offline.js", { updateViaCache: "none" }]]);
  vi.stubGlobal("navigator", {});
});
