/** The language of the page: state that everything shown depends on. */

import type { Language } from "../format";
import { en, type Key } from "./en";
import { zhTW } from "./zh-TW";

export type { Key };

const DICTIONARIES: Record<Language, Record<Key, string>> = { "zh-TW": zhTW, en };
const STORED_AS = "vigil.language";

export const isLanguage = (value: unknown): value is Language =>
  value === "zh-TW" || value === "en";

/** Storage may be forbidden; then the choice lasts as long as the page. */
function remembered(): string | null {
  try {
    return localStorage.getItem(STORED_AS);
  } catch {
    return null;
  }
}

function first(): Language {
  const stored = remembered();
  if (isLanguage(stored)) return stored;
  return navigator.languages.some((one) => one.toLowerCase().startsWith("zh")) ? "zh-TW" : "en";
}

class Speech {
  language: Language = $state(first());

  constructor() {
    this.#tellDocument();
  }

  #tellDocument(): void {
    document.documentElement.lang = this.language === "en" ? "en" : "zh-Hant-TW";
  }

  choose(language: Language): void {
    this.language = language;
    this.#tellDocument();
    try {
      localStorage.setItem(STORED_AS, language);
    } catch {
      // Not remembered, then.
    }
  }

  /** What an account prefers counts until somebody chooses here. */
  suggest(language: string | null): void {
    if (remembered() === null && isLanguage(language)) {
      this.language = language;
      this.#tellDocument();
    }
  }
}

export const speech = new Speech();

export function fill(text: string, values: Record<string, string | number>): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

export function t(key: Key, values: Record<string, string | number> = {}): string {
  return fill(DICTIONARIES[speech.language][key], values);
}

/** For words that come from the server: translated if known. One that is not is shown as it is:
 * a parameter's name, or an English word on a page in another language. */
export function word(prefix: string, name: string): string {
  const key = `${prefix}.${name}`;
  return key in en ? t(key as Key) : name.replaceAll("_", " ");
}
