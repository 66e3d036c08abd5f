/** The language of the page: state that everything shown depends on. */

import type { Language } from "../format";
import { en, type Key } from "./en";
import { fill } from "./fill";
import { zhTW } from "./zh-TW";

export type { Key };

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

type Values = Record<string, string | number>;

export interface Dictionary<K extends string> {
  t: (key: K | Key, values?: Values) => string;
  /** For words that come from the server: translated if known. One that is not is shown as it is:
   * a parameter's name, or an English word on a page in another language. */
  word: (prefix: string, name: string) => string;
  /** One text in both languages, for whoever chooses later. */
  both: (key: K) => Record<Language, string>;
  /** What stands behind a prefix, by the rest of its key. */
  keysOf: (prefix: string) => Record<string, Record<Language, string>>;
}

/** A domain's own texts, and behind them those that all pages share. */
export function dictionary<K extends string>(
  own: Record<K, string>,
  ownInChinese: Record<K, string>,
): Dictionary<K> {
  const texts: Record<Language, Record<string, string>> = {
    en: { ...en, ...own },
    "zh-TW": { ...zhTW, ...ownInChinese },
  };
  const both = (key: string) => ({ en: texts.en[key] ?? key, "zh-TW": texts["zh-TW"][key] ?? key });
  const say = (key: string) => texts[speech.language][key] ?? key;
  return {
    t: (key, values = {}) => fill(say(key), values),
    word: (prefix, name) => {
      const key = `${prefix}.${name}`;
      return Object.hasOwn(texts.en, key) ? say(key) : name.replaceAll("_", " ");
    },
    both,
    keysOf: (prefix) =>
      Object.fromEntries(
        Object.keys(own)
          .filter((key) => key.startsWith(`${prefix}.`))
          .map((key) => [key.slice(prefix.length + 1), both(key)]),
      ),
  };
}

export const { t, word } = dictionary({}, {});
