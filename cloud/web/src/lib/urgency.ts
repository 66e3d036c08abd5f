/** Which alerts need somebody, and in which order: as `alerts/work.py` has it. */

import type { AlertSummary } from "./api/model";

const WEIGHT = { info: 0, minor: 1, major: 2, critical: 3 } as const;

type Stands = Pick<AlertSummary, "state">;
type Ordered = Pick<AlertSummary, "id" | "raised" | "severity" | "work">;

/** The server tells when something is put on the shelf, not when its time there is over. */
export const isShelved = (alert: Stands, now: Date): boolean =>
  alert.state.shelved_until !== null && Date.parse(alert.state.shelved_until) > now.getTime();

/** Whether its device is put aside right now. */
export const isAside = (alert: Stands, now: Date): boolean =>
  alert.state.device_shelf !== null &&
  (alert.state.device_shelf_until === null ||
    Date.parse(alert.state.device_shelf_until) > now.getTime());

/** Whether anybody still has to do something about it: nobody has taken it, or whoever has is
 * not done. What is critical is shown whatever of its device is put aside. */
export const isOpen = (
  alert: Stands & Pick<AlertSummary, "work" | "severity">,
  now: Date,
): boolean =>
  alert.work !== "done" &&
  !isShelved(alert, now) &&
  (alert.severity === "critical" || !isAside(alert, now));

/** It is over, and whoever took it has not said yet that the work is done. */
export const awaitsConfirmation = (alert: Stands & Pick<AlertSummary, "work">): boolean =>
  alert.work === "in_progress" && !alert.state.active && !alert.state.confirmed;

export const priority = ({ severity, work }: Pick<Ordered, "severity" | "work">): number =>
  work === "done" ? 0 : WEIGHT[severity] + (work === "new" ? 3 : 0);

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

/** The server's own order, so that pages join without a gap; times in the server's one form. */
export const newestFirst = (a: Ordered, b: Ordered): number =>
  Date.parse(b.raised) - Date.parse(a.raised) || byText(b.raised, a.raised) || byText(b.id, a.id);

/** What nobody has taken first, then by severity, then the newest. */
export const byUrgency = (a: Ordered, b: Ordered): number =>
  priority(b) - priority(a) || newestFirst(a, b);
