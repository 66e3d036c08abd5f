/** What an account may do, as far as the screen offers it; the server decides for itself. */

import { describe } from "../domains/registry";
import type { Alert } from "./api/model";
import { session } from "./session.svelte";

export const mayAcknowledge = (alert: Pick<Alert, "domain">): boolean =>
  session.has(...describe(alert.domain).actors);

export const mayConfirm = (alert: Pick<Alert, "domain">): boolean => mayAcknowledge(alert);
