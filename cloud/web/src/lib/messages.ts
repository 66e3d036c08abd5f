/** What devices, gateways and services report, in the reader's language where it is known. */

import type { Data } from "./api/client";
import type { Device } from "./api/model";
import codes from "./i18n/codes.json";
import { fill, speech, t } from "./i18n/index.svelte";
import particulars from "./i18n/particulars.json";

/** What a code means; `null` for one that this page does not know. */
export function meaning(code: string | null | undefined): string | null {
  if (!code || !Object.hasOwn(codes, code)) return null;
  return codes[code as keyof typeof codes][speech.language];
}

/** What a refusal is about (which case, how many days), where its code has a sentence for that and
 * the answer carried everything that the sentence names; else `null`. */
export function particular(code: string, data: Data): string | null {
  if (!Object.hasOwn(particulars, code)) return null;
  const text = particulars[code as keyof typeof particulars][speech.language];
  const between = speech.language === "en" ? ", " : "、";
  const values = Object.fromEntries(
    Object.entries(data).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(between) : String(value),
    ]),
  );
  const named = [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "");
  return named.every((name) => Object.hasOwn(values, name)) ? fill(text, values) : null;
}

/** A text of ours in English, shown as what it is where the page is in another language. */
export const original = (text: string): string =>
  speech.language === "en" ? text : t("app.original", { text });

/** Why a device is as it is. English texts say most, because the device wrote them; elsewhere the
 * code's meaning is told, and the text itself where the code is not known. */
export function messageOf({ code, message }: Pick<Device, "code" | "message">): string {
  if (speech.language === "en") return message || (meaning(code) ?? "");
  return meaning(code) ?? (message ? original(message) : "");
}
