/** How well a station that moves knew where it was, in words. */

import type { components } from "../../lib/api/schema";
import { type Language, moment } from "../../lib/format";
import { t } from "./speech";

export type StationPosition = components["schemas"]["PositionEntry"];

export function positionWords(one: StationPosition, language: Language, now: Date): string {
  if (one.state === "fixed") {
    return one.within_m === null
      ? t("checkin.position.fixed")
      : t("checkin.position.within", { metres: Math.max(1, Math.round(one.within_m)) });
  }
  const why = t(`checkin.position.${one.state}`);
  return one.at
    ? `${why} · ${t("checkin.position.last", { time: moment(one.at, language, now) })}`
    : why;
}
