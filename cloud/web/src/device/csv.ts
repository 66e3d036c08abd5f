/** Readings as a table for spreadsheets: one line for each point of the chart. */

import type { SeriesData } from "../lib/api/model";

const COLUMNS = ["time", "parameter", "unit", "value", "flag", "mean_of_s"] as const;

/** Quoted where it has to be; with an apostrophe where a spreadsheet would take it for a formula. */
function cell(value: string | number | null): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const safe = /^[=+\-@\t]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

/** UTF-8 with its mark, by which spreadsheets know it; times are UTC. */
export function csvOf({ parameter, unit, window_s, t, v, flag }: SeriesData): string {
  const rows = t.map((at, number) => [
    new Date(at * 1000).toISOString(),
    parameter,
    unit,
    v[number] ?? null,
    flag[number] ?? null,
    window_s,
  ]);
  const lines = [COLUMNS.join(","), ...rows.map((row) => row.map(cell).join(","))];
  return `\uFEFF${lines.join("\r\n")}\r\n`;
}

/** Have the browser keep it as a file. */
export function keepAs(name: string, text: string): void {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
