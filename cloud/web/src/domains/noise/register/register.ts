/** What counts of the register, and how entries are sent back to it. */

import type { components } from "../../../lib/api/schema";

export type Register = components["schemas"]["Register"];
export type Intersection = Register["intersections"][number];
export type Instrument = Register["instruments"][number];
export type Road = Register["roads"][number];
export type Certificate = Register["certificates"][number];
export type Placement = Register["placements"][number];
export type Rules = Register["rules"][number];
export type Complaint = components["schemas"]["ComplaintEntry"];
export type Limit = Road["limits"][number];

/** The parts of a body of the register. */
export type Field =
  | "intersections"
  | "instruments"
  | "roads"
  | "certificates"
  | "placements"
  | "rules"
  | "complaints";

export const KINDS = ["verification", "comparison", "calibration"] as const;
export const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;

export const keyOfRoad = (one: Road) => `${one.intersection}/${one.direction}/${one.valid_from}`;
export const keyOfCertificate = (one: Certificate) => `${one.instrument}/${one.kind}/${one.number}`;
export const keyOfPlacement = (one: Placement) => `${one.device}/${one.since}`;
export const keyOfRules = (one: Rules) => one.valid_from;

/** Of each key the entry recorded last, without what was withdrawn. Entries come as recorded. */
export function counted<T extends { withdrawn: boolean }>(
  all: readonly T[],
  keyOf: (one: T) => string,
): T[] {
  const last = new Map<string, T>();
  for (const one of all) last.set(keyOf(one), one);
  return [...last.values()].filter((one) => !one.withdrawn);
}

/** Where each device stands now, and what is planned. */
export function standing(all: readonly Placement[], now: Date): Placement[] {
  const entries = counted(all, keyOfPlacement).sort((a, b) => a.since.localeCompare(b.since));
  const current = new Map<string, Placement>();
  const later: Placement[] = [];
  for (const one of entries) {
    if (Date.parse(one.since) <= now.getTime()) current.set(one.device, one);
    else later.push(one);
  }
  return [...current.values(), ...later];
}

/** Of the three certificates those that no entry covers on a day. */
export function missing(certificates: readonly Certificate[], day: string) {
  const there = new Set(
    certificates
      .filter((one) => one.valid_from <= day && day <= one.valid_until)
      .map((one) => one.kind),
  );
  return KINDS.filter((kind) => !there.has(kind));
}

/** An entry as it is sent: without who made it. */
export function sent(entry: object): Record<string, unknown> {
  const left = ["recorded", "recorded_by"];
  return Object.fromEntries(Object.entries(entry).filter(([name]) => !left.includes(name)));
}

/** The city's date, as the register writes days. */
export const civilDay = (at: Date): string =>
  new Intl.DateTimeFormat("en-CA", { timeZone: "Asia/Taipei" }).format(at);

/** `22:00` of `22:00:00`. */
export const hour = (time: string): string => time.slice(0, 5);
