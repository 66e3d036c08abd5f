/** Moments as `datetime-local` has them. */

/** Taipei's, where all times of these pages are; it keeps no summer time. */
const OFFSET_MS = 8 * 3_600_000;

/** A moment as `datetime-local` has it, in Taipei. */
export const local = (moment: string): string =>
  new Date(Date.parse(moment) + OFFSET_MS).toISOString().slice(0, 16);

/** The opposite; empty for what is no moment. */
export function instantOf(written: string): string {
  const at = Date.parse(`${written}Z`);
  return Number.isNaN(at) ? "" : new Date(at - OFFSET_MS).toISOString();
}
