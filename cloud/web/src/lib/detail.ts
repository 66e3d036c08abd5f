/** What is doubtful of an alert, believing nothing that is not there. */

import type { Alert, Doubts } from "./api/model";

export const num = (value: unknown): value is number => typeof value === "number";
export const str = (value: unknown): value is string => typeof value === "string";

/** Null where nothing is doubtful. */
export function doubtsOf(alert: Alert): Doubts | null {
  const { time_quality, claimed_times, owner_doubtful, shape_doubtful } = alert.detail;
  const time = time_quality === "ahead" || time_quality === "behind" ? time_quality : null;
  const claimed =
    typeof claimed_times === "object" && claimed_times !== null
      ? Object.entries(claimed_times).filter((pair): pair is [string, string] => str(pair[1]))
      : [];
  const owner = str(owner_doubtful) ? owner_doubtful : null;
  const shape = Array.isArray(shape_doubtful) ? shape_doubtful.filter(str) : [];
  return time || owner || shape.length > 0 ? { time, claimed, owner, shape } : null;
}
