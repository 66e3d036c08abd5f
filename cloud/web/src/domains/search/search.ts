/** What is asked of searches, and what of one lies where on the map. */

import { type Problem, answer, api } from "../../lib/api/client";
import type { Case } from "../../lib/api/model";
import type { components } from "../../lib/api/schema";
import { type Language, deviceName } from "../../lib/format";
import { type Position, circle, positionOf } from "../../lib/geo";
import { forgetting } from "../../lib/live/forgetting.svelte";
import type { Area } from "../../lib/map/areas";
import type { Mark } from "../../lib/map/marker";

export type SearchMap = components["schemas"]["SearchMap"];
export type Reported = components["schemas"]["Reported"];
export type Likely = components["schemas"]["Likely"];
export type Plan = components["schemas"]["SearchPlan"];
export type Report = components["schemas"]["ReportMissing"];
export type Entry = components["schemas"]["AddEntry"];

/** Cases whose photograph could not be kept, and why: told on the case's page. */
export const unkept = new Map<string, Problem>();
forgetting.onLeave(() => unkept.clear());

export async function makeLink(id: string, key: string): Promise<Case> {
  const params = { path: { case_id: id }, header: { "Idempotency-Key": key } };
  return answer(api.POST("/api/v1/search/cases/{case_id}/link", { params }));
}

export async function withdrawLink(id: string, key: string): Promise<Case> {
  const params = { path: { case_id: id }, header: { "Idempotency-Key": key } };
  return answer(api.DELETE("/api/v1/search/cases/{case_id}/link", { params }));
}

/** Where the link's QR code is drawn; another link is another picture. */
export const codeAddress = (id: string, link: string): string =>
  `/api/v1/search/cases/${id}/link.svg?of=${encodeURIComponent(link.slice(-8))}`;

export const report = async (said: Report, key: string): Promise<Reported> =>
  answer(
    api.POST("/api/v1/search/reports", {
      params: { header: { "Idempotency-Key": key } },
      body: said,
    }),
  );

export const addEntry = async (id: string, entry: Entry, key: string): Promise<Case> =>
  answer(
    api.POST("/api/v1/search/cases/{case_id}/entries", {
      params: { path: { case_id: id }, header: { "Idempotency-Key": key } },
      body: entry,
    }),
  );

export const end = async (
  one: Pick<Case, "id" | "version">,
  outcome: string,
  text: string,
  key: string,
): Promise<Case> =>
  answer(
    api.POST("/api/v1/search/cases/{case_id}/end", {
      params: { path: { case_id: one.id }, header: { "Idempotency-Key": key } },
      body: { version: one.version, outcome, text },
    }),
  );

export const plan = async (id: string, team_hours: number, signal: AbortSignal): Promise<Plan> =>
  answer(
    api.GET("/api/v1/search/cases/{case_id}/plan", {
      params: { path: { case_id: id }, query: { team_hours } },
      signal,
    }),
  );

export const EXPORTS = ["geojson", "kml", "gpx"] as const;
export const exportAddress = (id: string, form: (typeof EXPORTS)[number]): string =>
  `/api/v1/search/cases/${id}/export.${form}`;

/** From where the person most probably is outwards. */
export const SHADES: Record<number, string> = { 0.5: "#b91c1c", 0.8: "#c2560a", 0.95: "#a16207" };
const PLANNED = "#1d4ed8";

/** The regions that hold 50, 80 and 95 %, the widest first: a smaller one lies on top of it. */
export function likelyAreas(likely: Likely | null): Area[] {
  const wide = [...(likely?.contours ?? [])].sort((a, b) => b.probability - a.probability);
  return wide.flatMap((one) =>
    one.polygons.flatMap(([outer, ...holes]): Area[] =>
      outer
        ? [
            {
              name: "",
              quiet: true,
              beyond: one.probability > 0.6,
              corners: outer.slice(0, -1) as Position[],
              holes: holes.map((hole) => hole.slice(0, -1) as Position[]),
              colour: SHADES[one.probability] ?? PLANNED,
            },
          ]
        : [],
    ),
  );
}

/** Where a plan sends people, by the segments' names. */
export const taskAreas = (planned: Plan | null): Area[] =>
  (planned?.tasks ?? []).map((one) => ({
    name: one.name,
    corners: one.corners as Position[],
    beyond: true,
    colour: PLANNED,
  }));

/** Stations, and what was seen: each place once, the newest sign of the person pulsing. */
export function marksOf(map: SearchMap, language: Language): Mark[] {
  const heard = new Set(map.hits.map((hit) => hit.device));
  const newest = map.hits.at(-1)?.device;
  const stations = map.stations.map((one): Mark => ({
    id: one.device,
    position: [one.longitude, one.latitude],
    domain: heard.has(one.device) ? "search" : "checkin",
    state: one.online ? "ok" : "unknown",
    severity: one.device === newest ? "critical" : null,
    label: deviceName(one, language),
  }));
  const entries = map.entries.flatMap((one): Mark[] => {
    const position = positionOf(one);
    if (!position) return [];
    return [
      {
        id: `entry-${one.id}`,
        position,
        domain: "search",
        state: "ok",
        severity: null,
        label: one.text || one.kind,
      },
    ];
  });
  return [...stations, ...entries];
}

/** Rings around the last place, and the places that were searched. */
export function areasOf(map: SearchMap, searched: string): Area[] {
  const centre = map.last_place ? positionOf(map.last_place) : null;
  // The estimate says more than distances alone.
  const rings =
    centre && !map.likely
      ? map.rings.map((ring): Area => ({
          name: `${Math.round(ring.share * 100)} %`,
          corners: circle(centre, ring.radius_m),
          beyond: true,
        }))
      : [];
  const places = map.entries.flatMap((one): Area[] => {
    const name = one.text || searched;
    if (one.area.length > 2) return [{ name, corners: one.area as Position[] }];
    const position = positionOf(one);
    return position && one.radius_m ? [{ name, corners: circle(position, one.radius_m) }] : [];
  });
  return [...rings, ...places];
}

export const wayOf = (map: SearchMap): Position[] =>
  map.footprint.flatMap((visit) => {
    const position = positionOf(visit);
    return position ? [position] : [];
  });

/** Rounded as people say it. */
export function far(metres: number, language: Language): string {
  const format = new Intl.NumberFormat(language, { maximumSignificantDigits: 2 });
  return metres < 1000
    ? `${format.format(Math.round(metres / 10) * 10)} m`
    : `${format.format(metres / 1000)} km`;
}
