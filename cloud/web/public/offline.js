/* Opens the pages where there is no network. It keeps the start page and the files that it loads,
 * which are the same for everybody; never an answer of the API. */

self.importScripts("/notifications.js");

const KEPT = "vigil-pages-v1";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

/* Whoever asked is answered: a page promises nothing before all of it is here. */
self.addEventListener("message", (event) => {
  const [asked] = event.ports;
  const kept = keep(event.data.keep).then(
    (whole) => asked?.postMessage(whole),
    (error) => {
      asked?.postMessage(false);
      throw error;
    },
  );
  event.waitUntil(kept);
});

/* The start page comes last, and with every file that it names, and that its scripts name: after an
 * upgrade these are others than the open page has loaded, and without them nothing would open. */
async function keep(paths) {
  const cache = await caches.open(KEPT);
  const page = await fetch("/", { cache: "no-cache" });
  if (!page.ok) return false;
  const named = ((await page.clone().text()).match(/\/assets\/[^"'\s]+/g) ?? []).map(address);
  await Promise.all(named.map((url) => fetched(cache, url)));
  const pages = (await Promise.all(named.map((url) => namedBy(cache, url)))).flat();
  await Promise.all(pages.map((url) => fetched(cache, url)));
  const more = paths.map(address).filter((url) => url !== address("/"));
  await Promise.all(more.map((url) => fetched(cache, url).catch(() => undefined)));
  const wanted = new Set([...named, ...pages, ...more]);
  await cache.put(address("/"), page);
  wanted.add(address("/"));
  for (const request of await cache.keys()) {
    if (!wanted.has(request.url)) await cache.delete(request);
  }
  return true;
}

async function fetched(cache, url) {
  if (await cache.match(url)) return;
  const answer = await fetch(url, { cache: "no-cache" });
  if (!answer.ok) throw new Error(`${url}: ${answer.status}`);
  await cache.put(url, answer);
}

/* The files of pages that are loaded when they are opened. The map is not among them: without a
 * network it has nothing to show, and it is larger than all else. */
async function namedBy(cache, url) {
  if (!url.endsWith(".js")) return [];
  const text = await (await cache.match(url)).text();
  const files = [...text.matchAll(/["'`](?:\.\/|\/?assets\/)([\w.-]+\.(?:js|css))["'`]/g)];
  return [...new Set(files.map(([, name]) => address(`/assets/${name}`)))].filter(
    (one) => !/\/(maplibre-gl|streetTiles)/.test(one),
  );
}

function address(path) {
  return new URL(path, self.location.origin).href;
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate" && !url.pathname.startsWith("/api/")) {
    event.respondWith(page(request));
  } else if (url.pathname.startsWith("/assets/")) {
    event.respondWith(asset(request, url.href));
  }
});

/* Where the server is away, a proxy in front of it says so in its place. */
const AWAY = [502, 503, 504];

async function page(request) {
  const answer = await fetch(request).catch(() => null);
  if (answer && !AWAY.includes(answer.status)) return answer;
  const before = await kept("/");
  return before.ok || answer === null ? before : answer;
}

/* After an upgrade the server has no file of the page that is still open: the kept one is the same. */
async function asset(request, url) {
  const answer = await fetch(request).catch(() => null);
  if (answer?.ok) return answer;
  const before = await kept(url);
  return before.ok || answer === null ? before : answer;
}

async function kept(url) {
  const cache = await caches.open(KEPT);
  // A page asks once more for what did not come, under another query (lib/parts).
  return (await cache.match(url, { ignoreSearch: true })) ?? Response.error();
}
