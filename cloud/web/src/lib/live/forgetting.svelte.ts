/**
 * What was shown by a right that may be gone is not shown a moment longer. Whatever was fetched
 * carries the age in which it was asked for; at a new age nothing of the old is shown, in this
 * tab and, because they share the session, in all others of this browser.
 */

import { flushSync } from "svelte";

class Forgetting {
  age = $state(0);
  #listeners = new Set<() => void>();
  #ended = new Set<() => void>();
  #tabs = new BroadcastChannel("vigil.rights");

  constructor() {
    this.#tabs.addEventListener("message", () => this.#forget());
  }

  /** Called at each new age, before anything is shown in it. */
  onForget(callback: () => void): void {
    this.#listeners.add(callback);
  }

  /** Called when somebody is gone from this tab: signed out, or another account is here. */
  onLeave(callback: () => void): void {
    this.#ended.add(callback);
  }

  /** Nothing stays of what they were shown or have typed; their pages are closed already. */
  left(): void {
    for (const listener of this.#ended) listener();
  }

  /** Rights have changed, or may have: forget, here and in the other tabs. */
  everywhere(): void {
    this.#tabs.postMessage("changed");
    this.#forget();
  }

  /** The page is put aside as it is, to be shown again later: without what it showed. */
  beforeRest(): void {
    flushSync(() => this.#forget());
  }

  #forget(): void {
    this.age += 1;
    for (const listener of this.#listeners) listener();
  }
}

export const forgetting = new Forgetting();
