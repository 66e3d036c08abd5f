/** Numbers, units and times as people read them. Times are always those of Taipei. */

import type { Device } from "./api/model";

export type Language = "zh-TW" | "en";
export const TIME_ZONE = "Asia/Taipei";

const formats = new Map<string, Intl.DateTimeFormat>();
/** Made once: one that is made for each row costs more than all else that writes the row. */
const relatives = new Map<Language, Intl.RelativeTimeFormat>();

function dateFormat(language: Language, name: string, options: Intl.DateTimeFormatOptions) {
  const key = `${language}/${name}`;
  let format = formats.get(key);
  if (!format) {
    format = new Intl.DateTimeFormat(language === "en" ? "en-GB" : "zh-TW", {
      timeZone: TIME_ZONE,
      hourCycle: "h23",
      ...options,
    });
    formats.set(key, format);
  }
  return format;
}

/** ISO text or epoch seconds to a `Date`; `null` for what is neither. */
export function instant(value: string | number | null | undefined): Date | null {
  if (value === null || value === undefined || value === "") return null;
  const date = typeof value === "number" ? new Date(value * 1000) : new Date(value);
  return Number.isNaN(date.getTime()) ? null : date;
}

export function clock(value: string | number | null, language: Language, seconds = true): string {
  const date = instant(value);
  if (!date) return "–";
  return dateFormat(language, seconds ? "clock-s" : "clock", {
    hour: "2-digit",
    minute: "2-digit",
    ...(seconds ? { second: "2-digit" } : {}),
  }).format(date);
}

export function day(value: string | number | null, language: Language): string {
  const date = instant(value);
  if (!date) return "–";
  return dateFormat(language, "day", {
    month: language === "en" ? "short" : "numeric",
    day: "numeric",
    weekday: "short",
  }).format(date);
}

const dayKey = (date: Date) => dateFormat("en", "key", { dateStyle: "short" }).format(date);

/** The time alone if it is today's, with the date otherwise. */
export function moment(value: string | number | null, language: Language, now: Date): string {
  const date = instant(value);
  if (!date) return "–";
  const time = clock(value, language);
  return dayKey(date) === dayKey(now) ? time : `${day(value, language)} ${time}`;
}

/** Date and time whole, for records. */
export function stamp(value: string | number | null, language: Language): string {
  const date = instant(value);
  if (!date) return "–";
  return dateFormat(language, "stamp", {
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    second: "2-digit",
  }).format(date);
}

function relativeFormat(language: Language): Intl.RelativeTimeFormat {
  let format = relatives.get(language);
  if (!format) {
    format = new Intl.RelativeTimeFormat(language, { numeric: "auto", style: "short" });
    relatives.set(language, format);
  }
  return format;
}

/** "3 minutes ago"; the future counts as now, because a device's clock may run ahead a little. */
export function ago(value: string | number | null, language: Language, now: Date): string {
  const date = instant(value);
  if (!date) return "–";
  const seconds = Math.max(0, (now.getTime() - date.getTime()) / 1000);
  const relative = relativeFormat(language);
  if (seconds < 60) return relative.format(-Math.floor(seconds / 5) * 5, "second");
  if (seconds < 3600) return relative.format(-Math.floor(seconds / 60), "minute");
  if (seconds < 86400) return relative.format(-Math.floor(seconds / 3600), "hour");
  return relative.format(-Math.floor(seconds / 86400), "day");
}

export function bytes(size: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = size;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return `${unit === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${units[unit]}`;
}

/** How SenML units are written for people, and by what a value is multiplied for it. What is
 * stored and sent stays as the standard has it. */
const UNITS: Readonly<Record<string, { unit: string; factor: number }>> = {
  Cel: { unit: "°C", factor: 1 },
  "S/m": { unit: "µS/cm", factor: 10_000 },
  "kg/m3": { unit: "mg/L", factor: 1000 },
  "%EL": { unit: "%", factor: 1 },
  "%RH": { unit: "%", factor: 1 },
  V: { unit: "mV", factor: 1000 },
  pH: { unit: "", factor: 1 },
  count: { unit: "", factor: 1 },
  "/": { unit: "", factor: 1 },
};

export const displayUnit = (unit: string | null): { unit: string; factor: number } =>
  UNITS[unit ?? ""] ?? { unit: unit ?? "", factor: 1 };

/** The unit that a parameter's name carries when no registered one exists (`turbidity_FNU`). */
export function unitOf(parameter: string, unit: string | null): { unit: string; factor: number } {
  const shown = displayUnit(unit);
  const suffix = /_(FNU|NTU)$/.exec(parameter)?.[1];
  return shown.unit === "" && suffix ? { unit: suffix, factor: 1 } : shown;
}

/** Three or four digits that matter, never an exponent for everyday sizes. */
export function number(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size >= 1000) return value.toFixed(0);
  if (size >= 100) return value.toFixed(1);
  if (size >= 10) return value.toFixed(1);
  if (size >= 1) return value.toFixed(2);
  return size === 0 ? "0" : Number(value.toPrecision(3)).toString();
}

export function quantity(value: number | null, parameter: string, unit: string | null): string {
  const shown = unitOf(parameter, unit);
  const text = number(value === null ? null : value * shown.factor);
  return shown.unit && text !== "–" ? `${text} ${shown.unit}` : text;
}

export function deviceName(
  device: Pick<Device, "device" | "name" | "name_zh">,
  language: Language,
): string {
  const preferred = language === "en" ? device.name : device.name_zh;
  return preferred || device.name || device.name_zh || device.device;
}

/** A reading that is older is not what is there now. Readings come every few seconds to every few
 * minutes; loggers are asked every quarter of an hour. */
const CURRENT_S = 1200;

export const current = (seconds: number, now: Date): boolean =>
  now.getTime() / 1000 - seconds <= CURRENT_S;

export const titleOf = (alert: { title: string; title_zh: string }, language: Language): string =>
  (language === "en" ? alert.title : alert.title_zh) || alert.title;

export function duration(seconds: number, language: Language): string {
  const total = Math.max(0, Math.round(seconds));
  const hours = Math.floor(total / 3600);
  const minutes = Math.floor((total % 3600) / 60);
  const words = language === "en" ? ["d", "h", "min", "s"] : ["天", "小時", "分", "秒"];
  const gap = language === "en" ? "\u202f" : " ";
  if (hours >= 48) return `${Math.floor(hours / 24)}${gap}${words[0]}`;
  if (hours > 0 && minutes === 0) return `${hours}${gap}${words[1]}`;
  if (hours > 0) return `${hours}${gap}${words[1]} ${minutes}${gap}${words[2]}`;
  if (minutes > 0) return `${minutes}${gap}${words[2]}`;
  return `${total}${gap}${words[3]}`;
}
