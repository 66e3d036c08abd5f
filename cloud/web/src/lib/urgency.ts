/** Which alerts need somebody, and in which order. */

import type { Alert } from "./api/model";

const SEVERITY_RANK = { critical: 0, major: 1, minor: 2, info: 3 } as const;

/** The server tells when something is put on the shelf, not when its time there is over. */
export const isShelved = (alert: Alert, now: Date): boolean =>
  alert.state.shelved_until !== null && Date.parse(alert.state.shelved_until) > now.getTime();

/** Whether anybody still has to do something about it. */
export const isOpen = (alert: Alert, now: Date): boolean =>
  (alert.state.active || !alert.state.acknowledged) &&
  alert.severity !== "info" &&
  !isShelved(alert, now);

export const newestFirst = (a: Alert, b: Alert): number =>
  b.raised < a.raised ? -1 : b.raised > a.raised ? 1 : 0;

/** Unacknowledged first, then by severity, then the newest. */
export const byUrgency = (a: Alert, b: Alert): number =>
  Number(a.state.acknowledged) - Number(b.state.acknowledged) ||
  SEVERITY_RANK[a.severity] - SEVERITY_RANK[b.severity] ||
  newestFirst(a, b);
