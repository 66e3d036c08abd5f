/** An alert's `detail` as this domain's event, believing nothing that is not there. */

import type { Alert } from "../../lib/api/model";
import { str } from "../../lib/detail";

export interface SmokeDetail {
  condition: string;
  active: boolean;
  since: string;
  battery_percent: number | null;
  link_quality: number | null;
  during_test: boolean;
  unconfirmed_since: string | null;
  signs: readonly string[];
  raw: string | null;
}

export function smokeDetail(alert: Alert): SmokeDetail | null {
  const d = alert.detail as Partial<SmokeDetail>;
  if (!str(d.condition)) return null;
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
