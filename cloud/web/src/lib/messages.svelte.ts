/** What devices, gateways and services report, in the reader's language where it is known. */

import type { Device } from "./api/model";
import type codesFile from "./i18n/codes.json";
import { speech, t } from "./i18n/index.svelte";
import { part } from "./parts";

type Texts = typeof codesFile;

/** The texts of codes: fetched when the first is asked for, since most pages never show one. */
class Codes {
  texts: Texts | null = $state.raw(null);
  #coming: Promise<void> | null = null;

  /** Resolves also where they do not come: the next text that is wanted asks again. */
  load(): Promise<void> {
    this.#coming ??= part(() => import("./i18n/codes.json")).then(
      (file) => void (this.texts = file.default),
      () => void (this.#coming = null),
    );
    return this.#coming;
  }
}

const codes = new Codes();

/** For words that are kept and not shown at once: they must be the code's own. */
export const textsLoaded = (): Promise<void> => codes.load();

/** What a code means; `null` for one that this page does not know, or does not know yet. */
export function meaning(code: string | null | undefined): string | null {
  if (!code) return null;
  if (codes.texts === null) {
    void codes.load();
    return null;
  }
  if (!Object.hasOwn(codes.texts, code)) return null;
  return codes.texts[code as keyof Texts][speech.language];
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
