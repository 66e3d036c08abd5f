/**
 * What the API says, by the names that the application uses. The shapes are generated from the
 * server's description; only what it leaves open (a gateway's health) is written here, after the
 * contract in `schemas/`.
 */

import type { components } from "./schema";

type Schema = components["schemas"];

export type Account = Schema["AccountEntry"];
export type Alert = Schema["Alert"];
export type AlertSummary = Schema["AlertSummary"];
export type OpenAlerts = Schema["OpenAlerts"];
export type Doubt = Schema["AlertSummary"]["doubts"][number];
/** What an alert says beside its titles; its `type` tells which. */
export type Detail = Alert["detail"];
export type DetailOf<T extends Detail["type"]> = Extract<Detail, { type: T }>;
export type AlertHistory = Schema["AlertAction"];
export type Case = Schema["Case"];
export type CaseKind = Schema["CaseKindEntry"];
export type CaseSummary = Schema["CaseSummary"];
export type CaseView = keyof Schema["CaseCounts"] | "all";
export type AuditLine = Schema["AuditLine"];
export type Consent = Schema["ConsentEntry"];
export type Scope = Schema["Scope"];
export type DeadLetter = Schema["DeadLetterEntry"];
export type Delivery = Schema["AlertDelivery"];
export type District = Schema["DistrictEntry"];
export type Home = Schema["HomeEntry"];
export type Household = Schema["HouseholdEntry"];
export type HouseholdRelation = Household["members"][number]["relation"];
export type Job = Schema["JobEntry"];
export type Escalation = Schema["AlertEscalation"];
export type StoredPolicy = Schema["StoredPolicy"];
export type Policy = StoredPolicy["policy"];
export type ChannelKind = Policy["fallback"]["channel"];
export type SimulatedEscalation = Schema["SimulatedEscalation"];
export type Device = Schema["DeviceEntry"];
export type Shelf = Schema["ShelfEntry"];
export type AlertReply = Schema["AnswerRequest"]["answer"];
export type DeviceState = Device["state"];
/** A domain's word; which there are, the server's registry says. */
export type Domain = Schema["DeviceEntry"]["domain"];
/** A sensing domain, or the platform itself. */
export type AlertDomain = Schema["AlertSummary"]["domain"];
export type EvidenceFile = Schema["EvidenceFileEntry"];
export type Gateway = Schema["GatewayEntry"];
export type Person = Schema["PersonEntry"];
export type Role = Schema["Role"];
export type Screen = Schema["Screen"];
export type ScreenDomain = Schema["ScreenDomain"];
export type SeriesData = Schema["SeriesPoints"];
export type SeriesLatest = Schema["LatestReading"];
export type SeriesSummary = Schema["SeriesEntry"];
export type Severity = Alert["severity"];
export type Visit = Schema["VisitEntry"];

export interface LaneDepth {
  lane: "alarm" | "event" | "observation";
  rows: number;
  oldest: string | null;
  lost: number;
}

/** `city.vigil.gateway.health.v1`. */
export interface GatewayHealth {
  uptime_s: number;
  resident_bytes: number;
  cpu_percent: number;
  disk_free_bytes: number;
  clock_quality: "synchronised" | "holdover" | "unsynchronised";
  /** Synchronised by the word of its settings alone. */
  clock_vouched?: boolean | null;
  outbox: LaneDepth[];
  evidence_waiting: number;
  counters: Record<string, number>;
  /** This clock minus the cloud's, while it is more than 30 s off. */
  clock_offset_s?: number | null;
  refusals?: { reason: string; count: number; detail?: string }[] | null;
  /** Of the certificate that it shows the broker. */
  certificate_not_after?: string | null;
  sources?: { device: string; state: string; code?: string | null; message?: string | null }[];
}
