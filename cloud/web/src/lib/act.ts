/** What people do with an alert. The answer is the alert as it then is. */

import { get, post } from "./api/client";
import type { Alert } from "./api/model";
import { city } from "./live/city.svelte";

export type Action = "acknowledge" | "confirm" | "unshelve" | "shelve";

export async function act(
  alert: Alert,
  action: Action,
  comment: string,
  until?: Date,
): Promise<Alert> {
  const body = { comment, ...(until ? { until: until.toISOString() } : {}) };
  const path = `alerts/${encodeURIComponent(alert.id)}`;
  await post(`${path}/${action}`, body);
  // The event stream will bring it too; asking shows it at once where the stream is away.
  const changed = await get<Alert>(path);
  city.alerts.set(changed.id, changed);
  return changed;
}
