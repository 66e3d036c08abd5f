/** What the page of all alerts is asked for beside state and domain: a word, and days. */

import type { Wanted } from "../lib/live/feed.svelte";
import { forgetting } from "../lib/live/forgetting.svelte";
import { instantOf } from "../lib/localTime";

export interface Question {
  text: string;
  /** Days as `<input type="date">` has them, in Taipei; both are included. */
  from: string;
  to: string;
}

export const NOTHING: Question = { text: "", from: "", to: "" };
/** As long as the server takes. */
export const LONGEST = 80;
const DAY_MS = 86_400_000;

/** For who comes back from an alert. A word may be of somebody: it stands in no address. */
let last = NOTHING;
const forget = (): unknown => (last = NOTHING);
forgetting.onForget(forget);
forgetting.onLeave(forget);

export const asked = (): Question => last;

export function remember(question: Question): void {
  last = question;
}

export const isAsked = ({ text, from, to }: Question): boolean =>
  text !== "" || from !== "" || to !== "";

const midnight = (day: string): string | null =>
  day === "" ? null : instantOf(`${day}T00:00`) || null;

/** As a feed wants it. */
export function wantedBy({ text, from, to }: Question): Pick<Wanted, "text" | "since" | "until"> {
  const begins = midnight(to);
  return {
    text: text === "" ? null : text,
    since: midnight(from),
    until: begins === null ? null : new Date(Date.parse(begins) + DAY_MS).toISOString(),
  };
}
