/** Where we are: the address bar, as state. Links are ordinary links; `follow` catches their clicks. */

import { tick } from "svelte";
import { partsOf, pathInHash } from "./address";

/** What scrolls is the content beside the navigation, not the window. */
const content = () => document.getElementById("content");

/** A link of the old form, `/#/alerts/7`, is led to the page that it names. */
function leaveHash(): boolean {
  const path = pathInHash(location.hash);
  if (path !== null) history.replaceState(history.state, "", path);
  return path !== null;
}

class Route {
  path = $state(location.pathname);
  query = $state(new URLSearchParams(location.search));
  /** The address of the page before this one, if it was ours. */
  previous = $state<string | null>(null);
  /** The page that is being fetched: nothing stands there to scroll before it has come. */
  #opening: Promise<unknown> = Promise.resolve();
  #arrivals = 0;

  constructor() {
    if (leaveHash()) this.#read();
    // Opened in a tab that shows us already, such a link loads nothing anew.
    addEventListener("hashchange", () => {
      if (!leaveHash()) return;
      this.#read();
      void this.#arrive(0);
    });
    addEventListener("popstate", (event) => {
      const { top } = (event.state ?? {}) as { top?: number };
      this.#read();
      void this.#arrive(top ?? 0);
    });
  }

  #read(): void {
    if (location.pathname !== this.path) {
      const query = this.query.toString();
      this.previous = this.path + (query ? `?${query}` : "");
    }
    this.path = location.pathname;
    this.query = new URLSearchParams(location.search);
  }

  /** Readers of the screen and keyboards go on where the new page begins. */
  async #arrive(top: number): Promise<void> {
    const arrival = ++this.#arrivals;
    await tick();
    await this.#opening;
    await tick();
    if (arrival !== this.#arrivals) return; // somebody went on meanwhile
    content()?.focus({ preventScroll: true });
    content()?.scrollTo(0, top);
  }

  /** Told by whoever fetches a page's code. */
  opening(page: Promise<unknown>): void {
    this.#opening = page.catch(() => undefined); // what did not come is shown in its place
  }

  go(address: string): void {
    history.replaceState({ top: content()?.scrollTop ?? 0 }, "");
    history.pushState(null, "", address);
    this.#read();
    void this.#arrive(0);
  }

  /** Another view of the same page: neither a step back nor a jump to the top. */
  refine(query: Record<string, string>): void {
    const search = new URLSearchParams(query).toString();
    history.replaceState(history.state, "", this.path + (search ? `?${search}` : ""));
    this.#read();
  }

  get parts(): string[] {
    return partsOf(this.path);
  }
}

export const route = new Route();

/** Handles a click anywhere: plain clicks on links of ours change the page without loading it. */
export function follow(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0) return;
  if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || link.target || link.hasAttribute("download")) return;
  if (link.origin !== location.origin || link.pathname.startsWith("/api/")) return;
  event.preventDefault();
  route.go(pathInHash(link.hash) ?? link.pathname + link.search);
}
