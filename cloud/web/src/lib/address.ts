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
