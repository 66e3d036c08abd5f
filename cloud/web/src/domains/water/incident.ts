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

export const linesOf = (reaches: readonly Reach[], language: Language): Area[] =>
  reaches.map((reach) => ({
    name: nameOf(reach, language),
    corners: reach.line.map(([longitude = 0, latitude = 0]): Position => [longitude, latitude]),
    open: true,
  }));

/** Rounded as people say it. */
export function far(metres: number, language: Language): string {
  const format = new Intl.NumberFormat(language, { maximumSignificantDigits: 2 });
  return metres < 1000
    ? `${format.format(Math.round(metres / 10) * 10)} m`
    : `${format.format(metres / 1000)} km`;
}
