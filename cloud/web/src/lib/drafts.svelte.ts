/**
 * What somebody has typed and not yet sent.
 *
 * Whatever was fetched is forgotten when rights change, and a form that stands beside it goes for
 * that moment, too. What is typed into it was never fetched: it stays for who typed it, and is
 * there again when the form is, also where a session ended and the same account signs in again. It
 * ends when it is sent, when they sign out, with another account, and with the tab.
 */

/* eslint svelte/prefer-svelte-reactivity: "off" -- the map is bookkeeping, never shown */

import { forgetting } from "./live/forgetting.svelte";

export class Draft<T> {
  value = $state() as T;
  readonly #fresh: () => T;

  constructor(fresh: () => T) {
    this.#fresh = fresh;
    this.value = fresh();
  }

  /** It was sent, or is wanted no more. */
  clear(): void {
    this.value = this.#fresh();
  }
}

const held = new Map<string, Draft<unknown>>();
forgetting.onLeave(() => held.clear());

/** The draft called `name` of who is signed in; `fresh` gives the empty form. */
export function draft<T>(name: string, fresh: () => T): Draft<T> {
  let found = held.get(name) as Draft<T> | undefined;
  if (found === undefined) held.set(name, (found = new Draft(fresh)) as Draft<unknown>);
  return found;
}
