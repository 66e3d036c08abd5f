/** What the API says, in the words of the application. */

export type Domain = "noise" | "water" | "checkin" | "smoke";
export const DOMAINS: readonly Domain[] = ["smoke", "noise", "water", "checkin"];

export type Role =
  | "family"
  | "inspector"
  | "reviewer"
  | "police"
  | "dispatcher"
  | "volunteer"
  | "maintainer"
  | "administrator";

export type Severity = "critical" | "major" | "minor" | "info";
export type DeviceState = "ok" | "degraded" | "failed" | "offline" | "unknown";

export interface Account {
  username: string;
  display_name: string;
  roles: Role[];
  language: string | null;
}

export interface Device {
  device: string;
  gateway: string;
  domain: Domain;
  driver: string;
  name: string;
  name_zh: string;
  latitude: number | null;
  longitude: number | null;
  state: DeviceState;
  code: string | null;
  message: string | null;
  since: string | null;
  last_seen: string | null;
  parameters: string[];
}

export interface SeriesLatest {
  t: number;
  v: number | null;
  flag: number;
}

export interface SeriesSummary {
  parameter: string;
  unit: string | null;
  latest: SeriesLatest | null;
}

export interface SeriesData {
  parameter: string;
  unit: string | null;
  t: number[];
  v: (number | null)[];
  flag: number[];
}

export interface EvidenceFile {
  name: string;
  role: "audio" | "video" | "frame" | "plate" | "levels" | "other";
  media_type: string;
  size: number;
  sha256?: string;
}

export interface Evidence {
  state: "none" | "waiting" | "stored";
  sha256: string | null;
  files: EvidenceFile[];
}

export interface AlertState {
  active: boolean;
  acknowledged: boolean;
  confirmed: boolean;
  shelved_until: string | null;
  out_of_service: boolean;
}

export interface Delivery {
  channel: string;
  state: string;
  attempts: number;
  at: string | null;
  error: string | null;
}

export interface HistoryEntry {
  at: string;
  account: string | null;
  action: string;
  comment: string | null;
}

export interface Alert {
  id: string;
  domain: Domain;
  kind: string;
  device: string;
  title: string;
  title_zh: string;
  severity: Severity;
  state: AlertState;
  raised: string;
  event_time: string;
  cleared: string | null;
  acknowledged_by: string | null;
  acknowledged_at: string | null;
  confirmed_by: string | null;
  confirmed_at: string | null;
  detail: Record<string, unknown>;
  evidence: Evidence;
  subject: { person_name: string } | null;
  deliveries: Delivery[];
  latitude: number | null;
  longitude: number | null;
  history: HistoryEntry[];
}

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

export interface WaterDetail {
  parameter: string;
  unit: string | null;
  kind: "above" | "below" | "rate";
  limit: number;
  value: number;
  flag: number;
  started: string;
  ended: string | null;
}

export interface CheckinDetail {
  phase: "arrived" | "departed";
  carrier: "ble" | "uhf";
  arrived: string;
  last_seen: string;
  sightings: number;
  rssi_max_dbm: number | null;
}

export interface SmokeDetail {
  condition: string;
  active: boolean;
  since: string;
  battery_percent: number | null;
  link_quality: number | null;
}

export interface LaneDepth {
  lane: "alarm" | "event" | "observation";
  rows: number;
  oldest: string | null;
  lost: number;
}

export interface GatewayHealth {
  uptime_s: number;
  resident_bytes: number;
  cpu_percent: number;
  disk_free_bytes: number;
  clock_quality: "synchronised" | "holdover" | "unsynchronised";
  outbox: LaneDepth[];
  evidence_waiting: number;
  counters: Record<string, number>;
}

export interface Gateway {
  gateway: string;
  state: string;
  session: number | null;
  software: string | null;
  last_seen: string | null;
  health: GatewayHealth | null;
  dead_letters: number;
}

export interface DeadLetter {
  id: number | string;
  gateway: string | null;
  topic: string;
  reason: string;
  message?: string | null;
  payload: string | null;
  at: string;
}

export interface Person {
  key: string;
  name: string;
}

export interface Visit {
  device: string;
  name: string;
  name_zh: string;
  latitude: number | null;
  longitude: number | null;
  arrived: string;
  last_seen: string;
  departed: string | null;
}

export interface AuditEntry {
  at: string;
  account: string | null;
  action: string;
  reason?: string | null;
}
