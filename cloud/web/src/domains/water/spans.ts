/** What lasted at a station: excursions, the detector's findings, cleaning and calibration. */

import { answer, api } from "../../lib/api/client";
import { session } from "../../lib/session.svelte";
import type { Span, Tone } from "../../lib/spans";
import type { SpanSource } from "../deviceSpans";
import water from "./index";
import { t, word } from "./speech";

const TONES: Record<string, Tone> = { excursion: "critical", water: "critical", sensor: "accent" };

function labelOf(kind: string, what: string): string {
  const name = word("span", kind);
  if (kind === "excursion") return `${name}: ${word("water", what)}`;
  if (kind === "water" || kind === "sensor") {
    return `${name}: ${word("detector.reason", what)}`;
  }
  return kind === "sample" ? t("span.bottle", { number: what }) : name;
}

export const spans: SpanSource = async (device, start, stop, signal) => {
  if (!water.actors.some((role) => session.has(role))) return [];
  const iso = (seconds: number) => new Date(seconds * 1000).toISOString();
  const params = { path: { device }, query: { start: iso(start), stop: iso(stop) } };
  const found = await answer(api.GET("/api/v1/water/probes/{device}/spans", { params, signal }));
  return found.spans.map((one): Span => ({
    from: Date.parse(one.begin) / 1000,
    to: one.end === null ? null : Date.parse(one.end) / 1000,
    parameter: one.parameter,
    tone: TONES[one.kind] ?? "quiet",
    label: labelOf(one.kind, one.what) || t("span.maintenance"),
  }));
};
