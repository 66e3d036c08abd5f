/** The pages themselves, kept in this browser so that they open without a network. */

import type { Account } from "../api/model";

const STORED_AS = "vigil.offline-account";

/** Of an account what is needed to keep what it writes; no more of it lies on the device. */
export type Writer = Pick<Account, "username">;

/** What the service worker is to keep: everything of ours that this page has loaded. */
function loaded(): string[] {
  const ours = performance
    .getEntriesByType("resource")
    .map((one) => new URL(one.name))
    .filter((url) => url.origin === location.origin && url.pathname.startsWith("/assets/"))
    .map((url) => url.pathname);
  return [...new Set(ours)];
}

/** From now on the pages open without a network too, for this account: true once all that they need
 * lies here. Where the browser has no service workers (no https), an open page goes on working and
 * cannot be loaded anew. */
export async function openWithoutNetwork({ username }: Writer): Promise<boolean> {
  localStorage.setItem(STORED_AS, JSON.stringify({ username }));
  // Otherwise browsers may clear it: for room, or (Safari) a week after the page was last used.
  if ("storage" in navigator) void navigator.storage.persist().catch(() => false);
  if (!("serviceWorker" in navigator)) return false;
  await navigator.serviceWorker.register("/offline.js", { updateViaCache: "none" });
  const { active } = await navigator.serviceWorker.ready;
  if (!active) return false;
  const { port1, port2 } = new MessageChannel();
  const kept = new Promise<boolean>((resolve) => {
    port1.onmessage = ({ data }) => resolve(data === true);
  });
  active.postMessage({ keep: ["/", ...loaded()] }, [port2]);
  return kept;
}

/** Who may go on writing while the server cannot be asked who that is. */
export function offlineAccount(): Writer | null {
  try {
    return JSON.parse(localStorage.getItem(STORED_AS) ?? "null") as Writer | null;
  } catch {
    return null;
  }
}

export function forgetOffline(): void {
  localStorage.removeItem(STORED_AS);
}
