/** Reads an alert's `detail` as its domain's event, believing nothing that is not there. */

import type {
  Alert,
  CheckinDetail,
  Doubts,
  LevelCurve,
  NoiseDetail,
  SmokeDetail,
  WaterDetail,
} from "./api/model";

const num = (value: unknown): value is number => typeof value === "number";
const str = (value: unknown): value is string => typeof value === "string";

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
  if (alert.domain !== "noise" || !num(d.LAFmax) || !num(d.threshold_db)) return null;
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

export function waterDetail(alert: Alert): WaterDetail | null {
  const d = alert.detail as Partial<WaterDetail>;
  if (alert.domain !== "water" || !str(d.parameter) || !num(d.limit) || !num(d.value)) return null;
  return {
    parameter: d.parameter,
    unit: d.unit ?? null,
    kind: d.kind ?? "above",
    limit: d.limit,
    value: d.value,
    flag: d.flag ?? 2,
    started: d.started ?? alert.event_time,
    ended: d.ended ?? null,
  };
}

export function smokeDetail(alert: Alert): SmokeDetail | null {
  const d = alert.detail as Partial<SmokeDetail>;
  if (alert.domain !== "smoke" || !str(d.condition)) return null;
  return {
    condition: d.condition,
    active: d.active ?? alert.state.active,
    since: d.since ?? alert.event_time,
    battery_percent: d.battery_percent ?? null,
    link_quality: d.link_quality ?? null,
    during_test: d.during_test === true,
    unconfirmed_since: str(d.unconfirmed_since) ? d.unconfirmed_since : null,
    signs: Array.isArray(d.signs) ? d.signs.filter(str) : [],
    raw: str(d.raw) ? d.raw : null,
  };
}

/** Null where nothing is doubtful. */
export function doubtsOf(alert: Alert): Doubts | null {
  const { time_quality, claimed_times, owner_doubtful, shape_doubtful } = alert.detail;
  const time = time_quality === "ahead" || time_quality === "behind" ? time_quality : null;
  const claimed =
    typeof claimed_times === "object" && claimed_times !== null
      ? Object.entries(claimed_times).filter((pair): pair is [string, string] => str(pair[1]))
      : [];
  const owner = str(owner_doubtful) ? owner_doubtful : null;
  const shape = Array.isArray(shape_doubtful) ? shape_doubtful.filter(str) : [];
  return time || owner || shape.length > 0 ? { time, claimed, owner, shape } : null;
}

export function checkinDetail(alert: Alert): CheckinDetail | null {
  const d = alert.detail as Partial<CheckinDetail>;
  if (alert.domain !== "checkin" || !str(d.arrived)) return null;
  return {
    phase: d.phase ?? "arrived",
    carrier: d.carrier ?? "ble",
    arrived: d.arrived,
    last_seen: d.last_seen ?? d.arrived,
    sightings: d.sightings ?? 1,
    rssi_max_dbm: d.rssi_max_dbm ?? null,
  };
}
