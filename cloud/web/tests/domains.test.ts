import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const SOURCE = join(import.meta.dirname, "..", "src");
const DOMAINS = readdirSync(join(SOURCE, "domains"), { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .map((entry) => entry.name);
const sources = readdirSync(SOURCE, { withFileTypes: true, recursive: true })
  .filter((entry) => entry.isFile() && /\.(svelte|ts|css)$/.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name));
// "search" is a kind of field, too: of that domain only its folder counts.
const words = DOMAINS.map((domain) => (domain === "search" ? `domains/${domain}` : domain));
const outside = sources.filter(
  (path) => !DOMAINS.some((domain) => path.startsWith(join(SOURCE, "domains", domain))),
);

describe("a domain", () => {
  it.each(DOMAINS)("%s describes itself and has a colour by day and by night", (domain) => {
    const folder = join(SOURCE, "domains", domain);
    const files = readdirSync(folder);
    expect(files).toEqual(expect.arrayContaining(["index.ts", "colour.css", "Section.svelte"]));
    const descriptor = readFileSync(join(folder, "index.ts"), "utf8");
    expect(descriptor).toContain(`key: "${domain}"`);
    const colour = readFileSync(join(folder, "colour.css"), "utf8");
    expect(colour.split(`--domain-${domain}:`)).toHaveLength(3);
  });

  // Generated from the server's description, and an example of a parameter there; a street map's
  // layer of rivers and lakes.
  const others = ["schema.d.ts", "codes.json", "lib/map/streets.ts"];
  it.each(outside.filter((path) => !others.some((name) => path.endsWith(name))))(
    "is named nowhere in %s",
    (path) => {
      const text = readFileSync(path, "utf8").replace(/\/\*[\s\S]*?\*\//g, "");
      const named = new RegExp(`["'\`./-](?:${words.join("|")})["'\`./]`, "g");
      expect(text.match(named) ?? []).toEqual([]);
    },
  );

  it("is known by no other domain", () => {
    const foreign = DOMAINS.flatMap((domain) =>
      sources
        .filter((path) => path.startsWith(join(SOURCE, "domains", domain)))
        .filter((path) =>
          DOMAINS.some(
            (other) => other !== domain && readFileSync(path, "utf8").includes(`../${other}/`),
          ),
        ),
    );
    expect(foreign).toEqual([]);
  });
});
