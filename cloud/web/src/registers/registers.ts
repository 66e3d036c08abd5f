/** Entries of registers, as people write and read them. */

import type { components } from "../lib/api/schema";
import { stamp, type Language } from "../lib/format";
import { t } from "./speech";

type Schema = components["schemas"];
export type Register = Schema["RegisterEntry"];
export type Column = Schema["ColumnEntry"];
export type Rows = Schema["RegisterRows"];
export type Row = Rows["rows"][number];
export type Cell = Row[string];

/** What stands in a cell, to be read and searched. */
export function shown(column: Column, cell: Cell | undefined, language: Language): string {
  if (cell === null || cell === undefined) return "";
  if (typeof cell === "boolean") return t(cell ? "register.yes" : "register.no");
  if (Array.isArray(cell)) return cell.join("; ");
  if (column.kind === "time" && typeof cell === "string") return stamp(cell, language);
  return String(cell);
}

/** As it is written into a field. */
export const typed = (cell: Cell | undefined): string =>
  cell === null || cell === undefined ? "" : Array.isArray(cell) ? cell.join("; ") : String(cell);

/** What a field holds, as its column's kind. */
export function cellOf(column: Column, text: string): Cell {
  const value = text.normalize("NFC").trim();
  if (column.kind === "words") {
    return value
      .split(/[;\uff1b\u3001]/)
      .map((one) => one.trim())
      .filter((one) => one !== "");
  }
  if (column.kind === "number") return value === "" ? null : Number(value);
  return value === "" ? null : value;
}

export const keyOf = (register: Register, row: Row): string => typed(row[register.key]);

/** Every word has to be somewhere in the row. */
export function matches(register: Register, row: Row, query: string, language: Language): boolean {
  const words = query.normalize("NFKC").toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return true;
  const text = register.columns
    .map((column) => shown(column, row[column.name], language))
    .join(" ")
    .normalize("NFKC")
    .toLowerCase();
  return words.every((word) => text.includes(word));
}
