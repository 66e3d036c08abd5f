/** The parts of a path, decoded: `/alerts/7` is `["alerts", "7"]`. What cannot be decoded stays
 * as it is: such an address is one where nothing is, not one at which the page breaks. */
export function partsOf(path: string): string[] {
  return path
    .split("/")
    .filter(Boolean)
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
}

/** The path that an address of the old form names behind its hash: `#/alerts/7` is `/alerts/7`.
 * Messages that were sent long ago still hold such links. `null` for every other hash, and for
 * one that would lead to another server. */
export function pathInHash(hash: string): string | null {
  return /^#\/(?![/\\])/.test(hash) ? hash.slice(1) : null;
}
