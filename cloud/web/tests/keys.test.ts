/** Keys of acts: what did arrive is not done twice, and nothing that could have one goes without. */

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { expect, test, vi } from "vitest";
import { Problem } from "../src/lib/api/client";
import { ActKeys } from "../src/lib/keys";

const lost = new Problem(0, "server-unreachable", "", "");
const refused = new Problem(409, "case-changed", "", "");

async function keyOf(keys: ActKeys, act: string, problem?: Problem): Promise<string> {
  let used = "";
  const sent = keys.send(act, (key) => {
    used = key;
    return problem ? Promise.reject(problem) : Promise.resolve(null);
  });
  if (problem) await expect(sent).rejects.toBe(problem);
  else await sent;
  return used;
}

test("what got no answer goes under the same key until there is one", async () => {
  const keys = new ActKeys();
  const first = await keyOf(keys, "meet 1", lost);
  expect(await keyOf(keys, "meet 1", new Problem(502, "http-502", "", ""))).toBe(first);
  expect(await keyOf(keys, "meet 1")).toBe(first);
  expect(await keyOf(keys, "meet 1")).not.toBe(first);
});

test("what is sent again looks at the revision that was looked at first", async () => {
  const keys = new ActKeys();
  const seen: number[] = [];
  const send = (revision: number, problem: Problem | null) =>
    keys.send(
      "pause",
      (_key, _since, looked) => {
        seen.push(looked);
        return problem ? Promise.reject(problem) : Promise.resolve(null);
      },
      revision,
    );
  await expect(send(4, lost)).rejects.toBe(lost);
  await expect(send(5, refused)).rejects.toBe(refused);
  await send(5, null);
  expect(seen).toEqual([4, 4, 5]);
});

test("another act, and one that was refused, has a key of its own", async () => {
  const keys = new ActKeys();
  const first = await keyOf(keys, "meet 1", lost);
  const other = await keyOf(keys, "meet 2", refused);
  expect(other).not.toBe(first);
  expect(await keyOf(keys, "meet 2")).not.toBe(other);
});

test("another act that is answered in between leaves the lost one its key", async () => {
  const keys = new ActKeys();
  const lostOne = await keyOf(keys, "sample", lost);
  await keyOf(keys, "restart");
  expect(await keyOf(keys, "sample")).toBe(lostOne);
});

test("what has expired is asked for anew", async () => {
  vi.useFakeTimers();
  try {
    const keys = new ActKeys(600_000);
    const first = await keyOf(keys, "hush", lost);
    vi.advanceTimersByTime(599_000);
    expect(await keyOf(keys, "hush", lost)).toBe(first);
    vi.advanceTimersByTime(1_000);
    expect(await keyOf(keys, "hush")).not.toBe(first);
  } finally {
    vi.useRealTimers();
  }
});

interface Operation {
  parameters?: { name?: string }[];
}

test("whatever the server takes a key for is sent with one", () => {
  const source = join(import.meta.dirname, "..", "src");
  const api = JSON.parse(readFileSync(join(source, "lib", "api", "openapi.json"), "utf8")) as {
    paths: Record<string, Record<string, Operation>>;
  };
  const taking = (path: string, method: string) =>
    (api.paths[path]?.[method.toLowerCase()]?.parameters ?? []).some(
      (one) => one.name?.toLowerCase() === "idempotency-key",
    );
  const without: string[] = [];
  let seen = 0;
  for (const file of readdirSync(source, { recursive: true, withFileTypes: true })) {
    if (!file.isFile() || !/\.(svelte|ts)$/.test(file.name)) continue;
    const text = readFileSync(join(file.parentPath, file.name), "utf8");
    for (const call of text.matchAll(/api\.(POST|PUT|PATCH|DELETE)\(\s*["`]([^"`]+)/g)) {
      const [, method = "", path = ""] = call;
      // One path for each step of a case: they all take one.
      if (!path.includes("${") && !taking(path, method)) continue;
      seen += 1;
      const before = text.slice(0, call.index);
      const begins = Math.max(before.lastIndexOf("function "), before.lastIndexOf("=>"));
      const ends = text.indexOf(";", call.index);
      if (!text.slice(begins, ends).includes('"Idempotency-Key": ')) {
        without.push(`${file.name}: ${method} ${path}`);
      }
    }
  }
  expect(without).toEqual([]);
  expect(seen).toBeGreaterThan(15);
});
