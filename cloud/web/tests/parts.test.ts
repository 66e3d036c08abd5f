/** A file that did not come once is asked for under another address; every `import()` goes that way. */

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { part } from "../src/lib/parts";

const failed = (file: string) =>
  new TypeError(`Failed to fetch dynamically imported module: https://city.example/assets/${file}`);
const never = () => Promise.reject(new Error("no"));

function ways(script: (address: string) => Promise<object>, style = never as () => Promise<void>) {
  return { script: vi.fn(script), style: vi.fn(style) };
}

test("what comes at once is asked for once", async () => {
  const way = ways(never);
  expect(await part(() => Promise.resolve({ default: 1 }), "default", way)).toEqual({ default: 1 });
  expect(way.script).not.toHaveBeenCalled();
});

test("what failed is asked for under another query, and is one thing for everybody", async () => {
  const load = () => Promise.reject<{ default: object }>(failed("GrantForm-aB_1.js"));
  const way = ways(() => Promise.resolve({ default: {} }));
  const first = await part(load, "default", way);
  expect(way.script.mock.calls).toEqual([
    [expect.stringMatching(/^\/assets\/GrantForm-aB_1\.js\?again=\d+$/)],
  ]);
  expect(await part(load, "default", way)).toBe(first);
  expect(way.script).toHaveBeenCalledTimes(1);
});

test("what fails again is asked for under yet another one", async () => {
  const error = failed("sending-2.js");
  const load = () => Promise.reject<{ sendEntry: object }>(error);
  let up = false;
  const way = ways(() => (up ? Promise.resolve({ sendEntry: {} }) : never()));
  await expect(part(load, "sendEntry", way)).rejects.toBe(error);
  up = true;
  expect(await part(load, "sendEntry", way)).toEqual({ sendEntry: {} });
  const [[one], [two]] = way.script.mock.calls as [[string], [string]];
  expect(one).not.toBe(two);
});

test("a file that holds something else is not taken for what was asked for", async () => {
  const error = failed("shared-3.js");
  const way = ways(() => Promise.resolve({ t: 1 }));
  const load = () => Promise.reject<{ default: object }>(error);
  await expect(part(load, "default", way)).rejects.toBe(error);
});

test.each([
  new Error("Importing a module script failed."),
  new Error("https://elsewhere.example/x.js"),
  "no error",
])("where a browser does not say which file, it is left to the browser: %s", async (error) => {
  const way = ways(() => Promise.resolve({ default: 1 }));
  const load = () => Promise.reject<{ default: number }>(error);
  await expect(part(load, "default", way)).rejects.toBe(error);
  expect(way.script).not.toHaveBeenCalled();
});

test("a style that did not come is asked for once more, and then the part", async () => {
  let styled = false;
  const load = vi.fn(() =>
    styled
      ? Promise.resolve({ default: 1 })
      : Promise.reject<{ default: number }>(
          new Error("Unable to preload CSS for /assets/FamilyPage-x.css"),
        ),
  );
  const way = ways(never, () => {
    styled = true;
    return Promise.resolve();
  });
  expect(await part(load, "default", way)).toEqual({ default: 1 });
  expect(way.style).toHaveBeenCalledWith(
    expect.stringMatching(/^\/assets\/FamilyPage-x\.css\?again=/),
  );
  styled = false;
  const down = ways(never);
  await expect(part(load, "default", down)).rejects.toThrow("Unable to preload CSS");
});

test("nothing is imported past it", () => {
  const source = join(import.meta.dirname, "..", "src");
  const past = readdirSync(source, { recursive: true, withFileTypes: true })
    .filter((one) => one.isFile() && /\.(svelte|ts)$/.test(one.name))
    .map((one) => join(one.parentPath, one.name))
    .filter((path) => !path.endsWith(join("lib", "parts.ts")) && !path.endsWith(".d.ts"))
    .flatMap((path) =>
      readFileSync(path, "utf8")
        .split("\n")
        .filter((line) => /(?<!typeof )\bimport\(/.test(line))
        // A `load` is called by `Lazy` and `Part`, which call `part`.
        .filter(
          (line) =>
            !/(part\(\(\) => |load(?::|=\{)\s*\(\) => |^ {4}\w+: \(\) => )import\(/.test(line),
        )
        .map((line) => `${path}: ${line.trim()}`),
    );
  expect(past).toEqual([]);
  for (const name of ["Lazy", "Part"]) {
    expect(readFileSync(join(source, "lib", "ui", `${name}.svelte`), "utf8")).toContain(
      "part(load)",
    );
  }
});
