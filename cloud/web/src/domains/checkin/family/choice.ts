/** What a guardian chooses for a consent. */

import type { Consent, Scope } from "../../../lib/api/model";
import { SCOPES } from "../../../lib/scopeNames";

export const BEGINNINGS = ["all", "now", "date"] as const;

export interface Choice {
  scopes: Scope[];
  from: (typeof BEGINNINGS)[number];
  /** A day of the city's calendar, where ``from`` is a date. */
  date: string;
}

/** What is chosen where nobody chooses: the last place and where they have been. */
export function usual(): Choice {
  return { scopes: ["last_place", "footprint"], from: "all", date: "" };
}

/** What a guardian is offered for themselves, all of it chosen: whoever answers for a person is
 * called, unless somebody unticks it. */
export function own(): Choice {
  return { scopes: [...SCOPES], from: "all", date: "" };
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
/** Taiwan's clocks have stood at this since 1980. */
const CITY_OFFSET_MS = 8 * 3_600_000;

/** As a consent has it now. */
export function chosen(consent: Pick<Consent, "scopes" | "footprint_from">): Choice {
  const from = consent.footprint_from;
  const date = from ? new Date(Date.parse(from) + CITY_OFFSET_MS).toISOString().slice(0, 10) : "";
  return { scopes: [...consent.scopes], from: from ? "date" : "all", date };
}

/** For the server. ``before``: the consent that is to open less: a day that is left as it was means
 * that beginning itself, which need not be a midnight. */
export function bodyOf(
  choice: Choice,
  before?: Pick<Consent, "scopes" | "footprint_from">,
): { scopes: Scope[]; footprint_from: string | null } {
  const { scopes } = choice;
  if (!scopes.includes("footprint") || choice.from === "all")
    return { scopes, footprint_from: null };
  if (choice.from === "now") return { scopes, footprint_from: "now" };
  if (before?.footprint_from && chosen(before).date === choice.date)
    return { scopes, footprint_from: before.footprint_from };
  // A day that cannot be read (a year of five digits, none) must not mean all that is kept.
  if (!DAY.test(choice.date)) return { scopes, footprint_from: "now" };
  const midnight = Date.parse(`${choice.date}T00:00:00Z`) - CITY_OFFSET_MS;
  return { scopes, footprint_from: new Date(midnight).toISOString() };
}
