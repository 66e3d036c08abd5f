/** What an account may do, as far as the screen offers it; the server decides for itself. */

import type { Alert, AlertDomain, Role } from "./api/model";
import { session } from "./session.svelte";

const ACTORS: Record<AlertDomain, readonly Role[]> = {
  noise: ["inspector", "reviewer", "police", "administrator"],
  water: ["inspector", "reviewer", "police", "administrator"],
  smoke: ["dispatcher", "maintainer", "administrator"],
  checkin: ["family"],
  platform: ["maintainer", "administrator"],
};

export const mayAcknowledge = (alert: Pick<Alert, "domain">): boolean =>
  session.has(...(ACTORS[alert.domain] ?? []));

export const mayConfirm = (alert: Pick<Alert, "domain">): boolean => mayAcknowledge(alert);
