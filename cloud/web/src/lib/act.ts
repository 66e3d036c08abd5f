/** What people do with an alert. The answer is the alert as it then is. */

import { answer, api } from "./api/client";
import type { Alert, AlertReply } from "./api/model";
import { city } from "./live/city.svelte";

export type Action = "acknowledge" | "confirm" | "unshelve" | "shelve";

const PATHS = {
  acknowledge: "/api/v1/alerts/{alert_id}/acknowledge",
  confirm: "/api/v1/alerts/{alert_id}/confirm",
  unshelve: "/api/v1/alerts/{alert_id}/unshelve",
} as const;

export async function act(
  alert: Pick<Alert, "id">,
  action: Action,
  comment: string,
  until?: Date,
): Promise<Alert> {
  const params = { path: { alert_id: alert.id } };
  const changed = await answer(
    action === "shelve"
      ? api.POST("/api/v1/alerts/{alert_id}/shelve", {
          params,
          body: { comment, until: (until ?? new Date(Date.now() + 3_600_000)).toISOString() },
        })
      : api.POST(PATHS[action], { params, body: { comment } }),
  );
  // The event stream brings it too; this shows it at once where the stream is away.
  city.done(changed);
  return changed;
}

/** "I take it", "I cannot": kept under the name of whoever says so. */
export async function reply(alert: Pick<Alert, "id">, said: AlertReply, code = ""): Promise<Alert> {
  const params = { path: { alert_id: alert.id } };
  const changed = await answer(
    api.POST("/api/v1/alerts/{alert_id}/answers", { params, body: { answer: said, code } }),
  );
  city.done(changed);
  return changed;
}
