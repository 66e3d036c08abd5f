/** Notifications of this browser, also while no page is open (Web Push). Asked for by a press alone;
 * they belong to the account that asked, and end when it signs out. */

import { answer, api } from "./api/client";

const STORED_AS = "vigil.push";

/** ``unsupported``: this browser has none, or no https; ``away``: the city has none; ``denied``: the
 * browser was told never to show any. */
export type PushState = "unsupported" | "away" | "denied" | "off" | "on";

const supported = (): boolean =>
  "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

function bytes(base64url: string): Uint8Array<ArrayBuffer> {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (one) => one.charCodeAt(0));
}

const isOf = (made: PushSubscription, key: string): boolean => {
  const own = made.options.applicationServerKey;
  if (own === null) return false;
  const wanted = bytes(key);
  return new Uint8Array(own).every((one, place) => one === wanted[place]);
};

class Push {
  state: PushState = $state("off");

  /** Somebody is signed in: what this browser is told is theirs, or nobody's. */
  async signedIn(username: string): Promise<void> {
    if (!supported()) {
      this.state = "unsupported";
      return;
    }
    const made = await this.#subscription();
    if (localStorage.getItem(STORED_AS) !== username) {
      await this.forget(); // of whoever was signed in here before
    }
    const said = await answer(api.GET("/api/v1/push"));
    const asked = made !== null && localStorage.getItem(STORED_AS) === username;
    if (said.public_key === null) this.state = "away";
    else if (Notification.permission === "denied") this.state = "denied";
    else if (!asked) this.state = "off";
    else await this.#subscribe(username, said.public_key);
  }

  /** Asks the browser's permission: called by a press. Throws a `Problem`. */
  async turnOn(username: string): Promise<void> {
    const given = await Notification.requestPermission();
    if (given !== "granted") {
      this.state = given === "denied" ? "denied" : "off";
      return;
    }
    const said = await answer(api.GET("/api/v1/push"));
    if (said.public_key === null) this.state = "away";
    else await this.#subscribe(username, said.public_key);
  }

  /** Throws a `Problem`. */
  async turnOff(): Promise<void> {
    await answer(api.DELETE("/api/v1/push/subscription"));
    await this.forget();
    this.state = "off";
  }

  /** This browser takes nothing more; its push service tells the cloud so. */
  async forget(): Promise<void> {
    localStorage.removeItem(STORED_AS);
    if (!supported()) return;
    const made = await this.#subscription();
    await made?.unsubscribe();
    if (this.state === "on") this.state = "off";
  }

  async #subscribe(username: string, key: string): Promise<void> {
    await navigator.serviceWorker.register("/offline.js", { updateViaCache: "none" });
    const { pushManager } = await navigator.serviceWorker.ready;
    let made = await pushManager.getSubscription();
    if (made !== null && !isOf(made, key)) {
      await made.unsubscribe(); // of a key that the city has no more
      made = null;
    }
    const options = { userVisibleOnly: true, applicationServerKey: bytes(key) };
    made ??= await pushManager.subscribe(options);
    const { endpoint = "", keys = {} } = made.toJSON();
    const body = { endpoint, keys: { p256dh: keys["p256dh"] ?? "", auth: keys["auth"] ?? "" } };
    await answer(api.PUT("/api/v1/push/subscription", { body }));
    localStorage.setItem(STORED_AS, username);
    this.state = "on";
  }

  async #subscription(): Promise<PushSubscription | null> {
    const registration = await navigator.serviceWorker.getRegistration("/");
    return (await registration?.pushManager.getSubscription()) ?? null;
  }
}

export const push = new Push();
