/** An alert's `detail` as this domain's event, believing nothing that is not there. */

import type { Alert } from "../../lib/api/model";
import { num, str } from "../../lib/detail";

export interface LevelCurve {
  start: string;
  interval_s: number;
  LAF: number[];
}

export interface NoiseDetail {
  started: string;
  ended: string;
  threshold_db: number;
  LAFmax: number;
  LAFmax_time: string;
  LAE: number;
  background_db: number | null;
  overload: boolean;
  calibrated: boolean;
  level_curve: LevelCurve | null;
}

export function curveOf(value: unknown): LevelCurve | null {
  if (typeof value !== "object" || value === null) return null;
  const curve = value as Partial<LevelCurve>;
  return str(curve.start) &&
    num(curve.interval_s) &&
    Array.isArray(curve.LAF) &&
    curve.LAF.length > 0
    ? (curve as LevelCurve)
    : null;
}

export function noiseDetail(alert: Alert): NoiseDetail | null {
  const d = alert.detail as Partial<NoiseDetail>;
  if (!num(d.LAFmax) || !num(d.threshold_db)) return null;
  return {
    started: d.started ?? alert.event_time,
    ended: d.ended ?? alert.event_time,
    threshold_db: d.threshold_db,
    LAFmax: d.LAFmax,
    LAFmax_time: d.LAFmax_time ?? alert.event_time,
    LAE: d.LAE ?? Number.NaN,
    background_db: d.background_db ?? null,
    overload: d.overload ?? false,
    calibrated: d.calibrated ?? false,
    level_curve: curveOf(d.level_curve),
  };
}
