/** Degrees as people type them. */

import type { Position } from "../geo";

/** About a decimetre. */
export const DIGITS = 6;

const within = (text: string, most: number): number | null => {
  const value = Number(text);
  return text.trim() !== "" && Math.abs(value) <= most ? value : null;
};

/** `null`: no position, or not one yet. */
export function readPosition(latitude: string, longitude: string): Position | null {
  const lat = within(latitude, 90);
  const lon = within(longitude, 180);
  return lat === null || lon === null ? null : [lon, lat];
}
