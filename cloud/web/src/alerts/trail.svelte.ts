/** The way from one alert to the next: the list that the reader came from, as it stood then. */

import { forgetting } from "../lib/live/forgetting.svelte";

/** What a list shows, for as long as it is shown; the last one stays. */
class Trail {
  /** In the order in which they stood. What was done to one since moves none of them. */
  ids: readonly string[] = $state.raw([]);
  /** Where the list is. */
  address = $state("");

  follow(address: string, ids: readonly string[]): void {
    this.address = address;
    this.ids = ids;
  }

  forget(): void {
    this.follow("", []);
  }

  /** Where the list is, for who came from it, be it over others of its alerts. */
  from(previous: string | null): string | null {
    if (previous === null || this.address === "") return null;
    const [, alert] = /^\/alerts\/([^/?]+)/.exec(previous) ?? [];
    const along = alert !== undefined && this.ids.includes(decodeURIComponent(alert));
    return along || previous === this.address ? this.address : null;
  }

  /** What stands before and after it, and where it stands, from 1; null where it is not there. */
  around(id: string): { before: string | null; after: string | null; place: number } | null {
    const at = this.ids.indexOf(id);
    if (at < 0) return null;
    return { before: this.ids[at - 1] ?? null, after: this.ids[at + 1] ?? null, place: at + 1 };
  }
}

export const trail = new Trail();
forgetting.onForget(() => trail.forget());
forgetting.onLeave(() => trail.forget());
