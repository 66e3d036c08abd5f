/** What is wrong with a field of a policy, in words. */

import type { Mistake } from "./policies";
import { t } from "./speech";

const NUMBERS: ReadonlySet<string> = new Set([
  "greater-than-equal",
  "less-than-equal",
  "finite-number",
  "float-type",
  "float-parsing",
]);
const WORDED = [
  "missing",
  "nobody",
  "two-ways",
  "named-twice",
  "goes-back",
  "no-rota",
  "unknown-account",
  "unknown-role",
  "unknown-relation",
  "unknown-channel",
  "match-taken",
  "other-name",
  "same-time",
  "time-of-day",
  "moment",
] as const;

/** `last`: of the end of the policy. A kind of a later server is said in general words. */
export function mistakeText({ kind, value }: Mistake, last = false): string {
  if (kind === "nobody" && last) return t("mistake.noEnd");
  if (NUMBERS.has(kind)) return t("mistake.number");
  const known = WORDED.find((one) => one === kind);
  return known ? t(`mistake.${known}`, { value }) : t("mistake.other");
}
