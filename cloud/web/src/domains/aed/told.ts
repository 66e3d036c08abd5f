/** How a message to a volunteer's own channels went, in words: `own_channels` of the cloud. */

const SENT = "sent";
const NO_CHANNEL = "aed.told.noChannel";
const KINDS = [
  ["failed", "aed.told.failed"],
  ["given up", "aed.told.givenUp"],
  ["no channel", NO_CHANNEL],
  ["not told", "aed.told.notTold"],
] as const;
type Key = (typeof KINDS)[number][1];

/** Nothing where it arrived or is still to be sent; what the channel answered stays as it came. */
export function trouble(words: string, t: (key: Key) => string): string {
  if (words === "" || words === SENT) return "";
  const known = KINDS.find(([begins]) => words.startsWith(begins));
  if (known === undefined) return words;
  const why = words.slice(known[0].length).replace(/^[^:]*:\s*/u, "");
  return known[1] === NO_CHANNEL ? t(NO_CHANNEL) : `${t(known[1])} ${why}`.trim();
}
