/** What was looked at, in the words of a line of the audit log. */

import type { AuditLine } from "./api/model";

export type What = "footprints" | "lastPlace" | "alert" | "alerts" | "live" | "search";

/** `null` where the action itself says all there is to say. */
export function whatOf(line: Pick<AuditLine, "action" | "subject">): What | null {
  if (line.action !== "location.read") return null;
  if (line.subject === "footprints") return "footprints";
  if (line.subject === "last place") return "lastPlace";
  if (line.subject === "search") return "search";
  if (line.subject.startsWith("alert ")) return "alert";
  // An open page that the stream told of a check-in: nobody asked, and it was shown.
  if (line.subject.startsWith("stream")) return "live";
  return "alerts";
}

const MINUTE_MS = 60_000;

/** Whether it stood on the screen for long enough to say until when. */
export function lasted(
  line: Pick<AuditLine, "at" | "until">,
): line is Pick<AuditLine, "at"> & { until: string } {
  return line.until !== null && Date.parse(line.until) - Date.parse(line.at) >= MINUTE_MS;
}
