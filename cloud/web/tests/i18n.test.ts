import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { en } from "../src/lib/i18n/en";
import { zhTW } from "../src/lib/i18n/zh-TW";

type Texts = Record<string, string>;
/** The pages' own dictionary, and that of each domain. */
const own = import.meta.glob<{ en: Texts; zhTW: Texts }>("../src/domains/**/texts.ts", {
  eager: true,
});
const DICTIONARIES: [string, { en: Texts; zhTW: Texts }][] = [
  ["pages", { en, zhTW }],
  ...Object.entries(own),
];

/** Those of parts of the pages: each has its keys for itself. */
const PARTS = Object.entries(
  import.meta.glob<{ en: Texts; zhTW: Texts }>(["../src/**/*texts.ts", "!../src/domains/**"], {
    eager: true,
  }),
);

const SOURCE = join(import.meta.dirname, "..", "src");
const placeholders = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((m) => m[1]).sort();

function sources(folder = SOURCE): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && /\.(svelte|ts)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes(join("lib", "i18n")) && !/texts\.ts$|\.d\.ts$/.test(path));
}

describe.each([...DICTIONARIES, ...PARTS])("the two languages of %s", (_, { en, zhTW }) => {
  it("have the same keys", () => {
    expect(Object.keys(zhTW).sort()).toEqual(Object.keys(en).sort());
  });

  it.each(Object.keys(en))("%s: says something in both", (key) => {
    expect(zhTW[key]?.trim()).toBeTruthy();
    expect(en[key]?.trim()).toBeTruthy();
    const known = placeholders(en[key] ?? "");
    expect(placeholders(zhTW[key] ?? "").filter((name) => !known.includes(name))).toEqual([]);
  });
});

describe("the dictionaries", () => {
  it("have no key twice", () => {
    const keys = DICTIONARIES.flatMap(([, texts]) => Object.keys(texts.en));
    expect(keys.filter((key, i) => keys.indexOf(key) !== i)).toEqual([]);
  });

  it("keep no key that nothing shows", () => {
    const text = sources()
      .map((path) => readFileSync(path, "utf8"))
      .join("\n");
    // Keys put together at run time are known by what stands before the name that varies.
    const built = [
      ...text.matchAll(/t\(`([\w.]+\.)\$\{/g),
      ...text.matchAll(/word\(\s*"([\w.]+)"/g),
      ...text.matchAll(/keysOf\("([\w.]+)"/g),
    ].map((match) => match[1] ?? "");
    const unused = DICTIONARIES.flatMap(([, texts]) => Object.keys(texts.en)).filter(
      (key) =>
        !text.includes(`"${key}"`) && !built.some((prefix) => prefix && key.startsWith(prefix)),
    );
    expect(unused).toEqual([]);
  });

  it("leave no text outside the dictionaries", () => {
    const chinese = sources()
      .filter((path) => /[\u4e00-\u9fff]/.test(readFileSync(path, "utf8")))
      .map((path) => path.slice(SOURCE.length + 1));
    // Words of durations; the service's own name; a language's name in that language.
    expect(chinese.sort()).toEqual([
      "lib/format.ts",
      "lib/ui/LanguageSwitch.svelte",
      "shell/Shell.svelte",
      "signin/SignInPage.svelte",
    ]);
  });
});
