/** How a message to a volunteer's own channels went, in words: `own_channels` of the cloud. */

import { t } from "./speech";

const SENT = "sent";
const KINDS = [
  ["failed", "aed.told.failed"],
  ["given up", "aed.told.givenUp"],
  ["no channel", "aed.told.noChannel"],
  ["not told", "aed.told.notTold"],
] as const;

/** Nothing where it arrived or is still to be sent; what the channel answered stays as it came. */
export function trouble(words: string): string {
  if (words === "" || words === SENT) return "";
  const known = KINDS.find(([begins]) => words.startsWith(begins));
  if (known === undefined) return words;
  const why = words.slice(known[0].length).replace(/^[^:]*:\s*/u, "");
  return known[1] === "aed.told.noChannel" ? t(known[1]) : `${t(known[1])} ${why}`.trim();
}
