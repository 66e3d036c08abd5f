/** The data of a refusal, as a sentence. */

import type { Data } from "./api/client";
import type { Language } from "./format";
import { fill } from "./i18n/fill";
import particulars from "./i18n/particulars.json";

/** What a refusal is about (which case, how many days), where its code has a sentence for that and
 * the answer carried everything that the sentence names; else `null`. */
export function particular(code: string, data: Data, language: Language): string | null {
  if (!Object.hasOwn(particulars, code)) return null;
  const text = particulars[code as keyof typeof particulars][language];
  const between = language === "en" ? ", " : "、";
  const values = Object.fromEntries(
    Object.entries(data).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(between) : String(value),
    ]),
  );
  const named = [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
  return named.every((name) => Object.hasOwn(values, name)) ? fill(text, values) : null;
}
