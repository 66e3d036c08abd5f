/** What is wrong with a field of the register, in words. */

import type { Mistake } from "../../../lib/mistakes";
import { t } from "./speech";

const NUMBERS: ReadonlySet<string> = new Set([
  "greater-than",
  "greater-than-equal",
  "less-than-equal",
  "finite-number",
  "float-type",
  "int-type",
]);

/** A kind of a later server is said in general words. */
export function mistakeText(one: Mistake): string {
  if (NUMBERS.has(one.kind)) return t("register.mistake.number");
  if (one.kind === "string-pattern-mismatch") return t("register.mistake.form");
  if (one.kind === "missing" || one.kind === "string-too-short" || one.kind === "too-short") {
    return t("register.mistake.missing");
  }
  if (one.kind === "value-error") return t("register.mistake.order");
  return t("register.mistake.other");
}
