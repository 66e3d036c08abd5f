/** A person's visits as a way through the city. */

import type { Visit } from "../../../lib/api/model";
import { deviceName, type Language } from "../../../lib/format";
import { positionOf, type Position } from "../../../lib/geo";
import type { Mark } from "../../../lib/map/marker";

/** Oldest first, whatever the server's order. */
export const inOrder = (visits: readonly Visit[]): Visit[] =>
  [...visits].sort((a, b) => a.arrived.localeCompare(b.arrived));

/** A station that hears its visitors says so now and then; one that has been silent for so long
 * may be dead, and nobody knows where its visitor is. */
const HEARD_MS = 30 * 60_000;

export const isThere = (visit: Pick<Visit, "departed" | "last_seen">, now: Date): boolean =>
  visit.departed === null && now.getTime() - Date.parse(visit.last_seen) < HEARD_MS;

export function wayOf(visits: readonly Visit[]): Position[] {
  return inOrder(visits).flatMap((visit) => {
    const position = positionOf(visit);
    return position ? [position] : [];
  });
}

/** One mark per station, numbered by the first visit there. */
export function stationMarks(visits: readonly Visit[], language: Language): Mark[] {
  const marks = new Map<string, Mark>();
  for (const visit of inOrder(visits)) {
    const position = positionOf(visit);
    if (!position || marks.has(visit.device)) continue;
    marks.set(visit.device, {
      id: visit.device,
      position,
      domain: "checkin",
      state: "ok",
      severity: null,
      label: deviceName(visit, language),
      order: marks.size + 1,
    });
  }
  return [...marks.values()];
}
