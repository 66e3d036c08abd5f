/** A position as people write it: "23.4801, 120.4491" in degrees; empty: none. */

export interface Position {
  latitude: number | null;
  longitude: number | null;
}

/** `null` where it is no position. */
export function readPosition(written: string): Position | null {
  const text = written.normalize("NFKC").trim();
  if (text === "") return { latitude: null, longitude: null };
  const parts = text.split(/[\s,]+/);
  const [latitude, longitude] = parts.map(Number);
  if (parts.length !== 2 || latitude === undefined || longitude === undefined) return null;
  if (!(Math.abs(latitude) <= 90 && Math.abs(longitude) <= 180)) return null;
  return { latitude, longitude };
}
