/** What devices, gateways and services report, in the reader's language where it is known. */

import type { Device } from "./api/model";
import codes from "./i18n/codes.json";
import { speech, t } from "./i18n/index.svelte";

/** What a code means; `null` for one that this page does not know. */
export function meaning(code: string | null | undefined): string | null {
  if (!code || !Object.hasOwn(codes, code)) return null;
  return codes[code as keyof typeof codes][speech.language];
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
