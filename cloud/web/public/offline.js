/* Opens the pages where there is no network. It keeps the start page and the files that it loads,
 * which are the same for everybody; never an answer of the API. */

const KEPT = "vigil-pages-v1";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

self.addEventListener("message", (event) => {
  event.waitUntil(keep(event.data.keep));
});

async function keep(paths) {
  const cache = await caches.open(KEPT);
  const wanted = new Set(paths.map((path) => new URL(path, self.location.origin).href));
  for (const request of await cache.keys()) {
    if (!wanted.has(request.url)) await cache.delete(request);
  }
  await Promise.all(
    [...wanted].map(async (url) => {
      if (url.includes("/assets/") && (await cache.match(url))) return;
      const answer = await fetch(url, { cache: "no-cache" });
      if (answer.ok) await cache.put(url, answer);
    }),
  );
}

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== "GET" || url.origin !== self.location.origin) return;
  if (request.mode === "navigate" && !url.pathname.startsWith("/api/")) {
    event.respondWith(fetch(request).catch(() => kept("/")));
  } else if (url.pathname.startsWith("/assets/")) {
    event.respondWith(fetch(request).catch(() => kept(url.href)));
  }
});

async function kept(url) {
  const cache = await caches.open(KEPT);
  return (await cache.match(url)) ?? Response.error();
}
