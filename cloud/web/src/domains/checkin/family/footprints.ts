/** A person's visits as a way through the city. */

import type { Visit } from "../../../lib/api/model";
import { deviceName, type Language } from "../../../lib/format";
import { circle, positionOf, type Position } from "../../../lib/geo";
import type { Area } from "../../../lib/map/areas";
import type { Mark } from "../../../lib/map/marker";

/** Oldest first, whatever the server's order. */
export const inOrder = (visits: readonly Visit[]): Visit[] =>
  [...visits].sort((a, b) => a.arrived.localeCompare(b.arrived));

/** A station that hears its visitors says so now and then; one that has been silent for so long
 * may be dead, and nobody knows where its visitor is. */
const HEARD_MS = 30 * 60_000;

/** A smaller circle is hidden by its own mark. */
const LEAST_SHOWN_M = 15;

export const isThere = (visit: Pick<Visit, "departed" | "last_seen">, now: Date): boolean =>
  visit.departed === null && now.getTime() - Date.parse(visit.last_seen) < HEARD_MS;

export function wayOf(visits: readonly Visit[]): Position[] {
  return inOrder(visits).flatMap((visit) => {
    const position = positionOf(visit);
    return position ? [position] : [];
  });
}

/** Under what a visit stands on the map: its station's, or its own where that moves. */
export const markOf = (visit: Visit): string => (visit.position ? visit.visit_id : visit.device);

/** How far off a station that moves may have been, as circles. */
export const errorsOf = (visits: readonly Visit[]): Area[] =>
  visits.flatMap((visit) => {
    const position = positionOf(visit);
    const metres = visit.position?.within_m ?? 0;
    if (!position || metres < LEAST_SHOWN_M) return [];
    return [{ name: "", corners: circle(position, metres), quiet: true }];
  });

/** One mark per station, and for each visit to one that moves, numbered by the first visit. */
export function stationMarks(visits: readonly Visit[], language: Language): Mark[] {
  const marks = new Map<string, Mark>();
  for (const visit of inOrder(visits)) {
    const position = positionOf(visit);
    const id = markOf(visit);
    if (!position || marks.has(id)) continue;
    marks.set(id, {
      id,
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
