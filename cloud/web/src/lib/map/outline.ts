/** An outline as people write it: one corner a line, latitude and longitude in degrees. */

import type { District } from "../api/model";
import type { Position } from "../geo";

type Corner = NonNullable<District["outline"]>[number];

export type Read =
  | { corners: Corner[] | null }
  /** The line that is no corner, from 1; 0: there are too few. */
  | { wrong: number };

const FEWEST = 3;

export function readOutline(text: string): Read {
  const corners: Corner[] = [];
  for (const [number, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const parts = line.split(/[\s,，、]+/).filter((part) => part !== "");
    const [latitude, longitude] = parts.map(Number);
    if (
      parts.length !== 2 ||
      latitude === undefined ||
      longitude === undefined ||
      !(Math.abs(latitude) <= 90) ||
      !(Math.abs(longitude) <= 180)
    ) {
      return { wrong: number + 1 };
    }
    corners.push({ latitude, longitude });
  }
  if (corners.length === 0) return { corners: null };
  return corners.length < FEWEST ? { wrong: 0 } : { corners };
}

export const writeOutline = (corners: readonly Corner[] | null): string =>
  (corners ?? []).map((one) => `${one.latitude}, ${one.longitude}`).join("\n");

export const positionsOf = (corners: readonly Corner[] | null): Position[] =>
  (corners ?? []).map((one) => [one.longitude, one.latitude]);
