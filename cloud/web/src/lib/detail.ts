/** An alert's detail, told apart by its type as the server describes it. */

import type { Alert, Detail, DetailOf } from "./api/model";

function isOf<T extends Detail["type"]>(detail: Detail, type: T): detail is DetailOf<T> {
  return detail.type === type;
}

/** Null where it is of another type: kept by another version, or of a kind that came later. */
export function detailOf<T extends Detail["type"]>(alert: Alert, type: T): DetailOf<T> | null {
  const { detail } = alert;
  return isOf(detail, type) ? detail : null;
}

/** Whether something of the message is doubtful that stands in no other place. */
export const isDoubtful = ({ detail }: Alert): boolean =>
  detail.time_quality !== null ||
  detail.owner_doubtful !== null ||
  detail.shape_doubtful.length > 0;

type Value = string | number | boolean;

export interface Said {
  name: string;
  /** Null where it is no plain word or number. */
  value: Value | null;
  /** As the server has it, for whoever looks closer. */
  source: string;
}

const COMMON: readonly string[] = [
  "type",
  "time_quality",
  "claimed_times",
  "owner_doubtful",
  "shape_doubtful",
  "unconfirmed_since",
  "unread",
  "withheld",
];

function said(name: string, value: unknown): Said {
  const plain = ["string", "number", "boolean"].includes(typeof value) ? (value as Value) : null;
  return { name: name.replaceAll("_", " "), value: plain, source: JSON.stringify(value) };
}

/** Whatever a detail says, by name, for pages that do not know its type. */
export function everythingOf(detail: Detail): Said[] {
  const content = detail.type === "plain" ? detail.values : detail;
  return Object.entries(content)
    .filter(
      ([name, value]) => value !== null && !(detail.type !== "plain" && COMMON.includes(name)),
    )
    .map(([name, value]) => said(name, value));
}

/** What is kept and fits no model of this version. */
export const unreadOf = (detail: Detail): Said[] =>
  Object.entries(detail.unread).map(([name, value]) => said(name, value));
