/** The list that was shown last, for who comes back to it: as long as it was. */

import { city } from "../lib/live/city.svelte";
import { AlertFeed, type Wanted } from "../lib/live/feed.svelte";
import { forgetting } from "../lib/live/forgetting.svelte";

let last: AlertFeed | null = null;
const forget = (): unknown => (last = null);
forgetting.onForget(forget);
forgetting.onLeave(forget);

const nameOf = ({ view, domain, device, username, text, since, until }: Wanted): string =>
  JSON.stringify(
    [view, domain, device, view === "mine" ? username : "", text, since, until].map(
      (one) => one ?? "",
    ),
  );

/** The list for these filters: the city's own of all that is open, the last one, or a new one. */
export function feedOf(wanted: Wanted): AlertFeed {
  const name = nameOf(wanted);
  const kept = [city.urgent, last].find((feed) => feed && nameOf(feed.wanted) === name);
  return kept ?? new AlertFeed(city, wanted);
}

export function keep(feed: AlertFeed): void {
  last = feed;
}
