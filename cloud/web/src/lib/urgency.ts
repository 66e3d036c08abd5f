/** Which alerts need somebody, and in which order. */

import type { Alert } from "./api/model";

const SEVERITY_RANK = { critical: 0, major: 1, minor: 2, info: 3 } as const;

/** Whether anybody still has to do something about it. */
export const isOpen = (alert: Alert): boolean =>
  (alert.state.active || !alert.state.acknowledged) &&
  alert.severity !== "info" &&
  alert.state.shelved_until === null;

export const newestFirst = (a: Alert, b: Alert): number =>
  b.raised < a.raised ? -1 : b.raised > a.raised ? 1 : 0;

/** Unacknowledged first, then by severity, then the newest. */
export const byUrgency = (a: Alert, b: Alert): number =>
  Number(a.state.acknowledged) - Number(b.state.acknowledged) ||
  SEVERITY_RANK[a.severity] - SEVERITY_RANK[b.severity] ||
  newestFirst(a, b);
