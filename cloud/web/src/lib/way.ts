/** Where a press on "way there" leads, on whatever somebody holds in the hand. */

const APPLE = /iPhone|iPad|iPod|Macintosh/;

/** RFC 5870's `geo:` opens the map that somebody has chosen. Apple's browsers open nothing with it:
 * there it is the map of the system. */
export function wayTo(
  latitude: number,
  longitude: number,
  browser: string = navigator.userAgent,
): string {
  const at = `${latitude},${longitude}`;
  return APPLE.test(browser) ? `https://maps.apple.com/?daddr=${at}` : `geo:${at}`;
}
