/** An alert's `detail` as this domain's event, believing nothing that is not there. */

import type { Alert } from "../../lib/api/model";
import { str } from "../../lib/detail";

export interface CheckinDetail {
  phase: "arrived" | "departed";
  carrier: "ble" | "uhf";
  arrived: string;
  last_seen: string;
  sightings: number;
  rssi_max_dbm: number | null;
}

export function checkinDetail(alert: Alert): CheckinDetail | null {
  const d = alert.detail as Partial<CheckinDetail>;
  if (!str(d.arrived)) return null;
  return {
    phase: d.phase ?? "arrived",
    carrier: d.carrier ?? "ble",
    arrived: d.arrived,
    last_seen: d.last_seen ?? d.arrived,
    sightings: d.sightings ?? 1,
    rssi_max_dbm: d.rssi_max_dbm ?? null,
  };
}
