/** What is asked of incidents, and what of one lies where on the map. */

import { answer, api } from "../../lib/api/client";
import type { Alert } from "../../lib/api/model";
import type { components } from "../../lib/api/schema";
import { detailOf } from "../../lib/detail";
import { type Language, deviceName } from "../../lib/format";
import { type Position, positionOf } from "../../lib/geo";
import type { Area } from "../../lib/map/areas";
import type { Mark } from "../../lib/map/marker";

type Schema = components["schemas"];
export type Incident = Schema["IncidentEntry"];
export type Network = Schema["WaterNetwork"];
export type Suspect = Schema["Suspect"];
export type Gate = Schema["GateEntry"];
export type Source = Schema["SourceEntry"];
type Reach = Schema["ReachEntry"];

export const nameOf = (one: { name: string; name_zh: string }, language: Language): string =>
  language === "en" ? one.name : one.name_zh;

/** What an alert says of the water: a bound that was crossed, or what the detector found. */
export const eventOf = (alert: Alert) =>
  detailOf(alert, "water-excursion") ?? detailOf(alert, "water-anomaly");

export const incidentOf = (id: string, signal?: AbortSignal): Promise<Incident> =>
  answer(
    api.GET("/api/v1/water/incidents/{incident}", {
      params: { path: { incident: id } },
      ...(signal ? { signal } : {}),
    }),
  );

export const askClosed = (id: string, gate: string): Promise<Incident> =>
  answer(
    api.POST("/api/v1/water/incidents/{incident}/gates/close", {
      params: { path: { incident: id } },
      body: { gate },
    }),
  );

export const mayOpen = (id: string, gate: string): Promise<Incident> =>
  answer(
    api.POST("/api/v1/water/incidents/{incident}/gates/open", {
      params: { path: { incident: id } },
      body: { gate },
    }),
  );

/** Probes pulse while one of their parameters is out of its bounds; outfalls are numbered as in
 * their list. */
export function marksOf(one: Incident, language: Language): Mark[] {
  const probes = one.probes.flatMap((probe): Mark[] => {
    const position = positionOf(probe);
    const lasts = one.excursions.some((it) => it.device === probe.device && it.ended === null);
    return position
      ? [
          {
            id: `probe-${probe.device}`,
            position,
            domain: "water",
            state: "ok",
            severity: lasts ? "major" : null,
            label: deviceName(probe, language),
          },
        ]
      : [];
  });
  const suspects = one.suspects.map((outfall, i): Mark => ({
    id: `outfall-${outfall.id}`,
    position: [outfall.longitude, outfall.latitude],
    domain: "water",
    state: "unknown",
    severity: null,
    label: nameOf(outfall, language),
    order: i + 1,
  }));
  const gates = one.gates.map((gate): Mark => ({
    id: `gate-${gate.id}`,
    position: [gate.longitude, gate.latitude],
    domain: "irrigation",
    state: gate.closed ? "ok" : "unknown",
    severity: null,
    label: nameOf(gate, language),
  }));
  return [...probes, ...suspects, ...gates];
}

/** Canals; with the heat of each by its id where something is known of it. */
export const linesOf = (
  reaches: readonly Reach[],
  language: Language,
  heat: ReadonlyMap<string, number> = new Map(),
): Area[] =>
  reaches.map((reach) => {
    const warm = heat.get(reach.id);
    return {
      name: nameOf(reach, language),
      corners: reach.line.map(([longitude = 0, latitude = 0]): Position => [longitude, latitude]),
      open: true,
      ...(warm === undefined ? {} : { heat: warm }),
    };
  });

/** How much of the plume is in each canal at one moment, 0 to 1. Roots: what is thin is seen. */
export function plumeAt(source: Source | null, frame: number): Map<string, number> {
  const reaches = Object.entries(source?.frames.reaches ?? {});
  const highest = Math.max(0, ...reaches.flatMap(([, values]) => values));
  return new Map(
    reaches.map(([id, values]) => [
      id,
      highest > 0 ? Math.sqrt(Math.max(values[frame] ?? 0, 0) / highest) : 0,
    ]),
  );
}

/** The frame that is nearest to a moment, ms since 1970. */
export function frameNear(source: Source, at: number): number {
  const away = source.frames.times.map((time) => Math.abs(Date.parse(time) - at));
  return Math.max(0, away.indexOf(Math.min(...away)));
}

/** A mass or a probability as people say it. */
export const kilograms = (value: number, language: Language): string =>
  `${new Intl.NumberFormat(language, { maximumSignificantDigits: 2 }).format(value)} kg`;
export const percent = (value: number, language: Language): string =>
  new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 }).format(value);

/** Rounded as people say it. */
export function far(metres: number, language: Language): string {
  const format = new Intl.NumberFormat(language, { maximumSignificantDigits: 2 });
  return metres < 1000
    ? `${format.format(Math.round(metres / 10) * 10)} m`
    : `${format.format(metres / 1000)} km`;
}
