/** Rules by which a person's people are told: as they are filled in, and as the server takes them. */

import type { components } from "../../../lib/api/schema";

export type RuleEntry = components["schemas"]["RuleEntry"];
export type RuleBody = components["schemas"]["RuleBody"];
export type Kind = RuleBody["rule"]["kind"];

export const KINDS: readonly Kind[] = [
  "seen",
  "unseen",
  "left-zone",
  "at-night",
  "unusual",
  "amulet-silent",
  "battery-low",
  "not-worn",
];

/** Fewest, most and usual hours of the kinds that wait for some. */
export const HOURS = {
  unseen: [1, 168, 12],
  "amulet-silent": [12, 720, 48],
  "not-worn": [10, 168, 12],
} as const;
export const RADIUS_M = [100, 20_000] as const;
export const BATTERY_MV = [1800, 3600] as const;

export const waits = (kind: Kind): kind is keyof typeof HOURS => kind in HOURS;
export const hasZone = (kind: Kind): kind is "left-zone" | "at-night" =>
  kind === "left-zone" || kind === "at-night";

/** As it is filled in; times are those of the city's clock, `22:00`. */
export interface Draft {
  kind: Kind;
  hours: number | null;
  battery_mv: number | null;
  latitude: number | null;
  longitude: number | null;
  radius_m: number | null;
  night_from: string;
  night_until: string;
  quiet: boolean;
  quiet_from: string;
  quiet_until: string;
}

export function clockOf(minutes: number): string {
  const two = (value: number) => String(value).padStart(2, "0");
  return `${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`;
}

/** `null` for what is no time of the day. */
export function minutesOf(text: string): number | null {
  const found = /^([01]\d|2[0-3]):([0-5]\d)/.exec(text);
  return found ? Number(found[1]) * 60 + Number(found[2]) : null;
}

/** A rule as it stands, or what is usual of its kind. */
export function draftOf(kind: Kind, entry?: RuleEntry): Draft {
  const draft: Draft = {
    kind,
    hours: waits(kind) ? HOURS[kind][2] : null,
    battery_mv: 2400,
    latitude: null,
    longitude: null,
    radius_m: 500,
    night_from: "22:00",
    night_until: "05:00",
    quiet: false,
    quiet_from: "22:00",
    quiet_until: "07:00",
  };
  if (!entry) return draft;
  const { rule } = entry;
  if ("hours" in rule) draft.hours = rule.hours;
  if (rule.kind === "battery-low") draft.battery_mv = rule.below_mv;
  if (rule.kind === "left-zone" || rule.kind === "at-night") {
    draft.latitude = rule.latitude;
    draft.longitude = rule.longitude;
    draft.radius_m = rule.radius_m;
  }
  if (rule.kind === "at-night") {
    draft.night_from = clockOf(rule.night_from);
    draft.night_until = clockOf(rule.night_until);
  }
  const { quiet_from: from, quiet_until: until } = entry;
  if (typeof from === "number" && typeof until === "number") {
    draft.quiet = true;
    draft.quiet_from = clockOf(from);
    draft.quiet_until = clockOf(until);
  }
  return draft;
}

function ruleOf(draft: Draft): RuleBody["rule"] {
  const { kind } = draft;
  // Fields are required: what is missing is refused by the form, and by the server.
  const hours = draft.hours ?? 0;
  const zone = {
    latitude: draft.latitude ?? NaN,
    longitude: draft.longitude ?? NaN,
    radius_m: draft.radius_m ?? 0,
  };
  switch (kind) {
    case "unseen":
    case "amulet-silent":
    case "not-worn":
      return { kind, hours };
    case "left-zone":
      return { kind, ...zone };
    case "at-night":
      return {
        kind,
        ...zone,
        night_from: minutesOf(draft.night_from) ?? -1,
        night_until: minutesOf(draft.night_until) ?? -1,
      };
    case "battery-low":
      return { kind, below_mv: draft.battery_mv ?? 0 };
    default:
      return { kind };
  }
}

export function bodyOf(draft: Draft): RuleBody {
  // Who is out at night is told of at once.
  const quiet = draft.quiet && draft.kind !== "at-night";
  return {
    rule: ruleOf(draft),
    quiet_from: quiet ? minutesOf(draft.quiet_from) : null,
    quiet_until: quiet ? minutesOf(draft.quiet_until) : null,
  };
}
