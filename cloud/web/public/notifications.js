/* Notifications: shows what the cloud sends through the browser's push service (RFC 8030), and opens
 * or does what is pressed. Loaded by the service worker; what arrives was encrypted for this browser
 * alone. */

const WORDS = {
  "zh-TW": {
    title: "守望",
    body: "請開啟頁面查看。",
    done: "已送出",
    undone: "尚未送出，請開啟頁面",
    lost: "此裝置可能收不到警報",
    reopen: "請開啟頁面並登入，以恢復通知。",
  },
  en: {
    title: "Vigil",
    body: "Open the page to read it.",
    done: "Sent",
    undone: "Not sent: open the page",
    lost: "This device may hear of no alarm",
    reopen: "Open the page and sign in: notifications begin again then.",
  },
};

const wordsIn = (lang) => WORDS[lang] ?? WORDS["zh-TW"];

/* A path of ours, whatever stands in the message. */
function path(text) {
  const url = new URL(typeof text === "string" ? text : "/", self.location.origin);
  return url.origin === self.location.origin ? url.pathname + url.search : "/";
}

self.addEventListener("push", (event) => {
  event.waitUntil(show(event.data));
});

/* Browsers take the right to push from whoever receives and shows nothing: what cannot be read is
 * shown as well. */
function show(data) {
  let note = {};
  try {
    note = data?.json() ?? {};
  } catch {
    note = {};
  }
  const words = wordsIn(note.lang);
  const actions = Array.isArray(note.actions) ? note.actions : [];
  return self.registration.showNotification(note.title || words.title, {
    body: note.body || (note.title ? "" : words.body),
    lang: note.lang || "zh-TW",
    tag: note.tag || undefined,
    renotify: Boolean(note.tag),
    requireInteraction: note.urgent === true,
    vibrate: note.urgent === true ? [400, 200, 400, 200, 400] : [200],
    timestamp: note.at || undefined,
    icon: "/icon.svg",
    actions: actions.map(({ action, title }) => ({ action, title })),
    data: { url: path(note.url), lang: note.lang, title: note.title, actions },
  });
}

self.addEventListener("notificationclick", (event) => {
  const { notification, action } = event;
  const given = notification.data ?? {};
  const pressed = (given.actions ?? []).find((one) => one.action === action);
  notification.close();
  event.waitUntil(pressed?.act ? act(given, pressed) : open(path(pressed?.url ?? given.url)));
});

/* The press itself is the answer. The token in the address is the right to give it. */
async function act(given, pressed) {
  const words = wordsIn(given.lang);
  let said = false;
  try {
    const answer = await fetch(path(pressed.url), { method: "POST", credentials: "omit" });
    said = answer.ok;
  } catch {
    said = false;
  }
  await self.registration.showNotification(`${said ? words.done : words.undone}: ${pressed.title}`, {
    body: given.title ?? "",
    lang: given.lang || "zh-TW",
    icon: "/icon.svg",
    requireInteraction: !said,
    data: { url: path(pressed.url), lang: given.lang, actions: [] },
  });
  if (!said) await open(path(pressed.url)).catch(() => undefined);
}

async function open(address) {
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const there = windows.find((one) => path(one.url) === address);
  return there ? there.focus() : self.clients.openWindow(address);
}

/* The service gave the browser another address: the cloud has to know it. Where that fails nobody
 * would hear of a fire here, and nobody would know: so it is said. The page subscribes anew. */
self.addEventListener("pushsubscriptionchange", (event) => {
  event.waitUntil(renew(event).catch(() => tellLost()));
});

async function renew(event) {
  const session = await fetch("/api/v1/session");
  if (!session.ok) throw new Error("nobody is signed in");
  const { csrf } = await session.json();
  const options = event.oldSubscription?.options;
  const made =
    event.newSubscription ?? (options && (await self.registration.pushManager.subscribe(options)));
  if (!made) throw new Error("no other subscription");
  const { endpoint, keys } = made.toJSON();
  const answer = await fetch("/api/v1/push/subscription", {
    method: "PUT",
    headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
    body: JSON.stringify({ endpoint, keys: { p256dh: keys.p256dh, auth: keys.auth } }),
  });
  if (!answer.ok) throw new Error("not taken");
}

function tellLost() {
  const lang = self.navigator?.language?.startsWith("en") ? "en" : "zh-TW";
  const words = wordsIn(lang);
  return self.registration.showNotification(words.lost, {
    body: words.reopen,
    lang,
    tag: "notifications-lost",
    requireInteraction: true,
    icon: "/icon.svg",
    data: { url: "/", lang, actions: [] },
  });
}
