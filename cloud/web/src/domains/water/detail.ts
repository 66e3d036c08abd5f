/** An alert's `detail` as this domain's event, believing nothing that is not there. */

import type { Alert } from "../../lib/api/model";
import { num, str } from "../../lib/detail";

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

export function waterDetail(alert: Alert): WaterDetail | null {
  const d = alert.detail as Partial<WaterDetail>;
  if (!str(d.parameter) || !num(d.limit) || !num(d.value)) return null;
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
